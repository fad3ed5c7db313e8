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
        description: The text. Required unless C(absent) or C(link).
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
      link:
        description: Make a symbolic link to this target instead of a file.
        type: str
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

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.root_file import parse_files
from ansible.module_utils.lobsterpot.root_writer import ensure

FILE_SPEC = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "group": {"type": "str", "default": "root"},
    "validate": {"type": "list", "elements": "str", "default": []},
    "link": {"type": "str"},
    "absent": {"type": "bool", "default": False},
}
ARGUMENT_SPEC = {"files": {"type": "list", "elements": "dict", "required": True, "options": FILE_SPEC}}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o022)
    try:
        module.exit_json(**ensure(module, parse_files(module.params["files"])))
    except (LobsterpotError, OSError, KeyError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
