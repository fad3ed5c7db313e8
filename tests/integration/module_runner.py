"""Runs modules one after the other in one process: lines of {"module": ..., "arguments": {...}} in, a line of result out for each.

What a run does to a store is what it does under Ansible; only the start of an interpreter for each is saved.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from pathlib import Path

import ansible.module_utils
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).resolve().parents[2]
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
sys.path.append(str(ROOT / "library"))


def main() -> None:
    for line in sys.stdin:
        wish = json.loads(line)
        printed = io.StringIO()
        with patch_module_args(wish["arguments"]), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            importlib.import_module(wish["module"]).main()
        print(printed.getvalue().strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
