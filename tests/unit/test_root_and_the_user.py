"""docs/root-and-the-user.md names every place where root touches what the gateway's user owns. A new one fails here until it is named."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

DOCUMENT = Path("docs/root-and-the-user.md")
IN_ROLES = ("tasks", "handlers", "vars", "templates", "files")
CODE = [*(f"roles/*/{folder}/**/*" for folder in IN_ROLES), "playbooks/**/*", "library/*", "module_utils/lobsterpot/*"]
# The user's home, state and runtime directory, the locks, whoever acts as the user, and files that are made for it.
TOUCHES = re.compile(
    r"account_home|gateway_state\b|state_dir|/run/user/|__gateway_locks|run[-_]as\b|setpriv|User="
    r"|adoption_(as_user|tar|systemctl)|as_user\.|owner: .*account_user"
)
ROW = re.compile(r"^\| `([^`]+)` \| (\d+) \|", re.M)


def test_every_place_is_named() -> None:
    """File by file the number of lines that touch something of the user's; the document says what protects root there."""
    found: Counter[str] = Counter()
    for pattern in CODE:
        for path in sorted(Path().glob(pattern)):
            if path.is_file() and path.suffix != ".pyc":
                found[str(path)] += sum(bool(TOUCHES.search(line)) for line in path.read_text().splitlines())
    named = {path: int(lines) for path, lines in ROW.findall(DOCUMENT.read_text())}
    assert named == {path: lines for path, lines in sorted(found.items()) if lines}
