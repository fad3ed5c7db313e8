# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the modules importable under the names Ansible gives them, and runs a module's `main` inside the test."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import ansible.module_utils
import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[2]
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
sys.path.append(str(ROOT / "library"))

settings.register_profile("unit", database=None, deadline=None)
settings.load_profile("unit")


class RunModule(Protocol):
    """Runs the module `name`, checks that it failed if and only if it should, and returns its result."""

    def __call__(
        self, name: str, arguments: dict[str, Any], *, check: bool = False, diff: bool = False, fails: bool = False
    ) -> dict[str, Any]: ...


class Snapshot(Protocol):
    """Describes all that is below a folder: two equal snapshots mean that nothing was touched in between."""

    def __call__(self, folder: Path) -> dict[str, tuple[object, ...]]: ...


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[RunModule]:
    def run(name: str, arguments: dict[str, Any], *, check: bool = False, diff: bool = False, fails: bool = False) -> dict[str, Any]:
        capsys.readouterr()
        module = importlib.import_module(name)
        options = {"_ansible_check_mode": check, "_ansible_diff": diff}
        with patch_module_args({**arguments, **options}), pytest.raises(SystemExit):
            module.main()
        printed = capsys.readouterr()
        result: dict[str, Any] = json.loads(printed.out)
        assert printed.err == ""
        assert result.get("failed", False) is fails, printed.out
        return result

    # A module runs as on a host, also after a test that brought in the controller's half of Ansible, which takes warnings for itself.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    # Modules set the umask they need; a strict one before shows that they do.
    umask = os.umask(0o077)
    yield run
    os.umask(umask)


@pytest.fixture
def snapshot() -> Snapshot:
    def take(folder: Path) -> dict[str, tuple[object, ...]]:
        seen: dict[str, tuple[object, ...]] = {}
        for path in (folder, *sorted(folder.rglob("*"))):
            status = path.lstat()
            content: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            inode = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
            seen[str(path)] = (content, oct(status.st_mode), status.st_uid, status.st_gid, inode)
        return seen

    return take
