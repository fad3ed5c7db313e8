#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: root_files
short_description: Write a set of root-owned files in one round trip
description:
  - Writes the files of one topic together. A settled host costs one round trip, however many files there are; with
    C(ansible.builtin.template) it is two for each.
  - Every file is written beside its target first and validated there. Only when all are valid do they take their places, each atomically.
  - Missing parent directories are made, owned by root, mode 0755.
author: the Lobsterpot contributors
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The text. Required unless C(absent).
        type: str
      mode:
        description: Permissions, four octal digits.
        type: str
        default: "0644"
      group:
        description: Group of the file. The owner is always root.
        type: str
        default: root
      validate:
        description: Command, as a list, that must succeed on the new file; C(%s) stands for its path.
        type: list
        elements: str
        default: []
      absent:
        description: Remove the file instead.
        type: bool
        default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Baseline | Write the drop-ins
  root_files:
    files:
      - path: /etc/sysctl.d/99-example.conf
        content: "{{ lookup('ansible.builtin.template', 'etc/sysctl.d/99-example.conf.j2') }}"
      - path: /etc/example/private.conf
        content: "key = value\n"
        mode: "0600"
"""

RETURN = r"""
paths:
  description: Paths that were, or in check mode would be, changed.
  returned: always
  type: list
  elements: str
previous:
  description: What was there, in the form of C(files), to go back to.
  returned: always
  type: list
  elements: dict
"""

import grp
import os
import stat
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.root_file import RootFile, State, parse_files

# What stands for a link or a device: it differs from every file, and cannot be brought back.
NO_FILE: State = ("", "", "")

FILE_SPEC = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "group": {"type": "str", "default": "root"},
    "validate": {"type": "list", "elements": "str", "default": []},
    "absent": {"type": "bool", "default": False},
}
ARGUMENT_SPEC = {"files": {"type": "list", "elements": "dict", "required": True, "options": FILE_SPEC}}


def before(path: Path) -> State | None:
    """Content, mode and group of what is there; None when there is no regular file of root's."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        raise LobsterpotError(f"{path} is a directory; move it away, a file belongs there")
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
    return {"content": content, "mode": f"0{mode[-3:]}", "group": group.rpartition(":")[2]}


def ensure(module: AnsibleModule) -> dict[str, object]:
    files = parse_files(module.params["files"])
    states = {file.path: before(Path(file.path)) for file in files}
    changed = [file for file in files if file.state != states[file.path]]
    if not module.check_mode:
        staged: dict[str, str] = {}
        try:
            for file in changed:
                if file.state is not None:
                    staged[file.path] = stage(module, file)
            for file in changed:
                if file.state is None:
                    Path(file.path).unlink()
                else:
                    Path(staged.pop(file.path)).replace(file.path)
        finally:
            for left in staged.values():
                Path(left).unlink(missing_ok=True)
    return {
        "changed": bool(changed),
        "paths": [file.path for file in changed],
        "previous": [{"path": file.path, **previous(states[file.path])} for file in changed],
        "diff": [file.diff(states[file.path]) for file in changed],
    }


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o022)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError, KeyError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
