# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check, in one task, what every role demands of its variables and of the host; tell all that is wrong in one message.

    - name: Preflight | Refuse what cannot work
      preflight:
        roles: [baseline, ssh]

Each role says two things. `meta/argument_specs.yml`, entry point `preflight`, gives the shape of its variables.
`meta/preflight.yml` gives their meaning: a list of conditions (`that`, as in `ansible.builtin.assert`) with the words for the
operator (`fail_msg`) when one of them does not hold. A role whose variables have a wrong shape is not asked for their meaning.

Ansible's own way is two tasks for each role and one more for each condition; a task costs the controller a process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset(("roles",))

    def run(self, tmp: None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Fail with all that is wrong, a line or more for each."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        problems: list[str] = []
        for role in self._task.args["roles"]:
            # As in a task of the role.
            variables = {**(task_vars or {}), "role_path": str(ROLES / role), "role_name": role}
            templar = self._templar.copy_with_new_env(available_variables=variables)
            problems += list(self._shape(role, variables, templar)) or list(self._meaning(role, templar))
        return result | {"changed": False, "failed": bool(problems), "msg": "\n".join(problems)}

    def _load(self, role: str, file: str) -> Any:
        path = ROLES / role / "meta" / file
        return self._loader.load_from_file(str(path), trusted_as_template=True) if path.exists() else None

    def _shape(self, role: str, variables: Mapping[str, Any], templar: Any) -> Iterator[str]:
        """Hold the variables against the role's argument spec. Its defaults are those of the role, which are variables, too."""
        options = self._load(role, "argument_specs.yml")["argument_specs"]["preflight"]["options"]
        values = {}
        for name in options:
            try:
                values[name] = templar.template(variables[name])
            except AnsibleError as error:
                yield f"{name}: {error}"
        spec = {name: {key: value for key, value in options[name].items() if key != "default"} for name in values}
        yield from ArgumentSpecValidator(spec).validate(values, validate_role_argument_spec=True).error_messages

    def _meaning(self, role: str, templar: Any) -> Iterator[str]:
        for check in self._load(role, "preflight.yml") or []:
            conditions = check["that"] if isinstance(check["that"], list) else [check["that"]]
            try:
                if not all(templar.evaluate_conditional(condition) for condition in conditions):
                    yield templar.template(check["fail_msg"])
            except AnsibleError as error:
                yield f"{role}: {error}"
