#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seccomp_profile
short_description: Write the list of system calls that sandboxes may make
description:
  - Takes the distribution's list for containers and leaves out the system calls that make namespaces and mounts.
author: the Lobsterpot contributors
options:
  source:
    description: The distribution's list, in the JSON of containers/common.
    type: path
    required: true
  path:
    description: The file to write. It belongs to root, mode 0644.
    type: path
    required: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Sandbox | Narrow the system calls
  seccomp_profile:
    source: /usr/share/containers/seccomp.json
    path: /etc/lobsterpot/podman/seccomp.json
"""

RETURN = r"""
paths:
  description: The path, when it was, or in check mode would be, changed.
  returned: always
  type: list
  elements: str
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.root_file import RootFile
from ansible.module_utils.lobsterpot.root_writer import ensure
from ansible.module_utils.lobsterpot.seccomp import narrowed

ARGUMENT_SPEC = {"source": {"type": "path", "required": True}, "path": {"type": "path", "required": True}}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o022)
    source = module.params["source"]
    try:
        content = narrowed(Path(source).read_text())
        result = ensure(module, [RootFile(module.params["path"], content, "0644", "root", (), False)])
        module.exit_json(changed=result["changed"], paths=result["paths"], diff=result["diff"])
    except LobsterpotError as error:
        module.fail_json(msg=f"{source} {error}")
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
