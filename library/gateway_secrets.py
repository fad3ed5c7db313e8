#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_secrets
short_description: Keep the gateway's secrets in one root-owned file
description:
  - Writes a JSON file that only root can read. The unit hands a copy to the service, and the gateway's configuration refers to the
    values by name.
  - Makes the values that shall be random on the host itself, once, and keeps them on later runs. They never reach the controller.
  - Values that are replaced wait in a file beside it, for the caller to bring back or remove.
  - No value appears in a result, a diff or an error, only names.
author: the Lobsterpot contributors
options:
  path:
    description: The file. Its directory is made when it is missing.
    type: path
    required: true
  directory_group:
    description: Group that may enter the file's directory, where the configuration lies too.
    type: str
    required: true
  secrets:
    description: Names and values, nested as the configuration refers to them. What is not named here is removed.
    type: dict
    required: true
  generate:
    description: Names, as JSON pointers, that get a random value when C(secrets) has none.
    type: list
    elements: str
    default: []
  rotate:
    description:
      - Name, as a JSON pointer, of the one secret that gets a new value - that of C(secrets), or a random one where C(secrets) has none and
        C(generate) names it. The others stay as they are in the file, whatever C(secrets) says of them.
      - Refused for an unknown name, and for a value that is in the file already.
      - Empty brings all to what C(secrets) and C(generate) say.
    type: str
    default: ""
attributes:
  check_mode: {support: full}
  diff_mode: {support: full, details: Shows names, never values.}
"""

EXAMPLES = r"""
- name: Gateway | Keep the secrets
  gateway_secrets:
    path: /etc/openclaw/secrets.json
    directory_group: openclaw
    secrets: "{{ gateway_secrets }}"
    generate: [/gateway/token]
  no_log: true
"""

RETURN = r"""
names:
  description: Names of all secrets, as JSON pointers.
  returned: always
  type: list
  elements: str
previous:
  description: File with the values before the change. Empty when there is none.
  returned: always
  type: str
"""

import grp
import json
import os
import stat
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.secrets import flatten, nest, plan, rotation

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "directory_group": {"type": "str", "required": True},
    "secrets": {"type": "dict", "required": True, "no_log": True},
    "generate": {"type": "list", "elements": "str", "default": []},
    "rotate": {"type": "str", "default": ""},
}


def read(path: Path) -> dict[str, str]:
    try:
        return flatten(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, LobsterpotError) as error:
        raise LobsterpotError(
            f"{path} holds no secrets in the form that was written there. Move it away; the next run makes a new one."
        ) from error


def previous(path: Path) -> Path:
    """Where the values that were replaced wait until the gateway is seen to work with the new ones."""
    return path.with_name(path.name + ".previous")


def write(path: Path, values: dict[str, str]) -> None:
    handle, staged = tempfile.mkstemp(prefix=".secrets-", dir=path.parent)  # mode 0600, owner root
    with os.fdopen(handle, "w") as stream:
        os.fchown(stream.fileno(), 0, 0)
        json.dump(nest(values), stream, indent=2, sort_keys=True)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    if path.is_file() and not path.is_symlink():
        previous(path).unlink(missing_ok=True)
        previous(path).hardlink_to(path)  # at no moment is there no file under the real name
    Path(staged).replace(path)


SECRET_MODE = 0o600
DIRECTORY_MODE = 0o750


def is_right(path: Path, gid: int, mode: int) -> bool:
    """Whether root owns it, with this group and these permissions."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, gid, mode)


def ensure(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    path = Path(params["path"])
    given, generate, name = flatten(params["secrets"]), params["generate"], params["rotate"]
    decided = rotation(read(path), given, generate, name) if name else plan(read(path), given, generate)
    mode_wrong = path.is_symlink() or (path.exists() and not is_right(path, 0, SECRET_MODE))
    try:
        gid = grp.getgrnam(params["directory_group"]).gr_gid
    except KeyError as error:
        if not module.check_mode:
            raise LobsterpotError(f"directory_group: there is no group {params['directory_group']}") from error
        gid = -1  # check mode on a host that has no such user yet
    folder_wrong = not is_right(path.parent, gid, DIRECTORY_MODE)
    if not module.check_mode:
        if folder_wrong:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.chown(path.parent, 0, gid)
            path.parent.chmod(DIRECTORY_MODE)
        if decided.changed or mode_wrong:
            write(path, dict(decided.after))
    names = "\n".join
    return {
        "changed": decided.changed or mode_wrong or folder_wrong,
        "names": sorted(decided.after),
        "previous": str(previous(path)) if previous(path).exists() else "",
        "diff": {
            "before_header": str(path),
            "after_header": str(path),
            "before": names(sorted(decided.before)) + "\n",
            "after": names([*sorted(decided.after), *(f"{name} (new value)" for name in decided.summary()["replaced"])]) + "\n",
        },
    }


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
