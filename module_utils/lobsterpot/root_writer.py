# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes files that belong to root: all of them staged and validated first, then each put in its place atomically."""

from __future__ import annotations

import contextlib
import grp
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import LobsterpotError
from .root_file import LINK, RootFile, State, parse_files

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# What stands for a device, or a link of somebody else's: it differs from every file, and cannot be brought back.
NO_FILE: State = ("", "", "")


def before(path: Path) -> State | None:
    """Content, mode and group of a file, or where a link leads; None when there is nothing, NO_FILE when it is a device or the like."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        raise LobsterpotError(f"{path} is a directory; move it away, a file belongs there")
    if stat.S_ISLNK(status.st_mode) and status.st_uid == 0:
        return (str(path.readlink()), LINK, "root")
    if not stat.S_ISREG(status.st_mode):
        return NO_FILE
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    owner = "" if status.st_uid == 0 else f"{status.st_uid}:"
    return (path.read_bytes().decode(errors="replace"), f"{stat.S_IMODE(status.st_mode):04o}", owner + group)


def validate(module: AnsibleModule, file: RootFile, staged: str) -> None:
    if not file.validate:
        return
    code, out, err = module.run_command([word.replace("%s", staged) for word in file.validate])
    if code:
        raise LobsterpotError(f"{file.path} was not changed, the new one is not valid:\n{(out + err).strip()[-2000:]}")


def stage(module: AnsibleModule, file: RootFile) -> str:
    """Write the new file beside its target, validated, and return its name."""
    folder = Path(file.path).parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle, staged = tempfile.mkstemp(prefix=".lobsterpot-", dir=folder)
    if file.link:
        os.close(handle)
        Path(staged).unlink()
        Path(staged).symlink_to(file.link)
        return staged
    try:
        with os.fdopen(handle, "w", newline="") as stream:
            stream.write(file.content)
            stream.flush()
            os.fchown(stream.fileno(), 0, grp.getgrnam(file.group).gr_gid)
            os.fchmod(stream.fileno(), int(file.mode, 8))
            os.fsync(stream.fileno())
        validate(module, file, staged)
    except BaseException:  # also the exit by which run_command reports a missing program
        Path(staged).unlink()
        raise
    return staged


def previous(state: State | None) -> dict[str, object]:
    """What `files` must say of a path to bring back what was there."""
    if state in (None, NO_FILE):
        return {"absent": True}
    content, mode, group = state
    if mode == LINK:
        return {"link": content}
    return {"content": content, "mode": f"0{mode[-3:]}", "group": group.rpartition(":")[2]}


def put(file: RootFile, staged: str) -> None:
    if staged:
        Path(staged).replace(file.path)
    else:
        Path(file.path).unlink()


def bring_back(module: AnsibleModule, file: RootFile, state: State | None) -> None:
    """Put what was there before in its place again, as far as that can be done."""
    unset: dict[str, object] = {"content": None, "mode": "0644", "group": "root", "validate": [], "absent": False}
    old = parse_files([{**unset, "path": file.path, **previous(state)}])
    with contextlib.suppress(OSError, KeyError):
        put(old[0], "" if old[0].absent else stage(module, old[0]))


def ensure(module: AnsibleModule, files: Sequence[RootFile]) -> dict[str, object]:
    """Have the files as they are wanted; return the result of the module. Raises LobsterpotError, OSError, KeyError."""
    states = {file.path: before(Path(file.path)) for file in files}
    changed = [file for file in files if file.state != states[file.path]]
    if not module.check_mode:
        staged: dict[str, str] = {}
        replaced: list[RootFile] = []
        try:
            for file in changed:
                if file.state is not None:
                    staged[file.path] = stage(module, file)
            for file in changed:
                replaced.append(file)
                put(file, staged.get(file.path, ""))
                staged.pop(file.path, None)
        except OSError:
            for file in reversed(replaced):
                bring_back(module, file, states[file.path])
            raise
        finally:
            for left in staged.values():
                Path(left).unlink(missing_ok=True)
    return {
        "changed": bool(changed),
        "paths": [file.path for file in changed],
        "previous": [{"path": file.path, **previous(states[file.path])} for file in changed],
        "diff": [file.diff(states[file.path]) for file in changed],
    }
