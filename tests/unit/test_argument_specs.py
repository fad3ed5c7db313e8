# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role says the same in its defaults, its argument specs and its README."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.lab import limits

PROJECT = Path(__file__).parents[2]
ROLES = sorted(path for path in (PROJECT / "roles").iterdir() if path.is_dir())
SECRETS = {"gateway_model_keys", "gateway_secrets", "gateway_token"}
SKELETON = (
    "README.md",
    "defaults/main.yml",
    "meta/argument_specs.yml",
    "meta/main.yml",
    "tasks/main.yml",
)

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def defaults(role: Path) -> dict[str, Any]:
    return load(role / "defaults/main.yml")


def options(role: Path) -> dict[str, dict[str, Any]]:
    spec: dict[str, dict[str, Any]] = load(role / "meta/argument_specs.yml")["argument_specs"]["preflight"]["options"]
    return spec


def is_template(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def validator(role: Path) -> ArgumentSpecValidator:
    """Judges values by a role's spec. Ansible renders the defaults that are templates; here they are left out."""
    spec = options(role)
    return ArgumentSpecValidator(
        {name: {key: value for key, value in option.items() if key != "default" or not is_template(value)} for name, option in spec.items()}
    )


@each_role
def test_role_has_the_skeleton(role: Path) -> None:
    """A role that lacks a README or its metadata is not finished."""
    assert [name for name in SKELETON if not (role / name).is_file()] == []


@each_role
def test_every_default_has_an_option_and_every_option_a_default(role: Path) -> None:
    """No variable is undocumented, and none is documented that does not exist; the order is the same too."""
    assert list(options(role)) == list(defaults(role))


@each_role
def test_option_defaults_equal_the_defaults(role: Path) -> None:
    """What the documentation calls the default is the default, value and type."""
    documented = {name: option.get("default") for name, option in options(role).items()}
    assert yaml.safe_dump(documented) == yaml.safe_dump(defaults(role))


@each_role
def test_defaults_pass_their_own_spec(role: Path) -> None:
    """A run with nothing set is not refused: each default that is no template has the type that its option demands."""
    plain = {name: value for name, value in defaults(role).items() if not is_template(value)}
    assert validator(role).validate(plain).error_messages == []


@each_role
def test_options_are_complete(role: Path) -> None:
    """Every option has a type and a description, and a list says of what."""
    incomplete = [
        name
        for name, option in options(role).items()
        if not isinstance(option.get("description"), list) or "type" not in option or (option["type"] == "list") != ("elements" in option)
    ]
    assert incomplete == []


@each_role
def test_descriptions_hold_no_template(role: Path) -> None:
    """Ansible renders a spec when it validates; an example with braces in a description would stop every run."""
    described = {name: " ".join(option["description"]) for name, option in options(role).items()}
    assert [name for name, words in described.items() if any(mark in words for mark in ("{{", "{%", "{#"))] == []


def test_secrets_are_plain() -> None:
    """A failed validation prints a value that is none of the choices: a secret has none, and its default is empty."""
    found = {name: option for role in ROLES for name, option in options(role).items() if name in SECRETS}
    for option in found.values():
        del option["description"]
    assert found == {
        "gateway_model_keys": {"type": "dict", "default": {}},
        "gateway_secrets": {"type": "dict", "default": {}},
        "gateway_token": {"type": "str", "default": ""},
    }


@pytest.mark.parametrize(
    ("role", "name", "value"),
    [
        ("baseline", "baseline_extra_packages", {"htop": True}),
        ("egress", "egress_exceptions", ["10.0.0.5"]),
        ("egress", "egress_mode", "closed"),
        ("egress", "egress_proxy_port", "web"),
        ("firewall", "firewall_extra_rules", ["443"]),
        ("firewall", "firewall_extra_ssh_ports", ["ssh"]),
        ("gateway", "gateway_model_keys", "zebra-secret"),
        ("gateway", "gateway_secrets", ["zebra-secret"]),
        ("sandbox", "sandbox_cpus", "many"),
        ("sandbox", "sandbox_disable_rootful", "perhaps"),
        ("vm", "vm_cpus", "two"),
        ("vm", "vm_network", "bridge"),
        ("vm", "vm_provider", "virtualbox"),
        ("vm", "vm_reach", {"192.0.2.1": "model"}),
    ],
)
def test_wrong_types_are_refused_by_name(role: str, name: str, value: object) -> None:
    """A value of the wrong type is refused with the variable's name, and without a secret's value."""
    messages = validator(PROJECT / "roles" / role).validate({name: value}).error_messages
    assert len(messages) == 1
    assert name in messages[0]
    assert "zebra" not in messages[0]


@pytest.mark.parametrize("value", [True, False, "auto", "true", "false"])
def test_passwords_may_be_a_word_or_a_truth(value: object) -> None:
    """`ssh_password_authentication: false` without quotes reaches the role instead of being refused."""
    assert validator(PROJECT / "roles/ssh").validate({"ssh_password_authentication": value}).error_messages == []


@each_role
def test_readme_is_current(role: Path, tmp_path: Path) -> None:
    """The table of variables in the README is what aar-doc makes of the specs today."""
    copy = tmp_path / role.name
    shutil.copytree(role / "meta", copy / "meta")
    shutil.copy(role / "README.md", copy)
    command = [str(Path(sys.executable).with_name("aar-doc")), str(copy), "markdown"]
    made = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=limits.PROGRAM)
    assert made.returncode == 0, made.stdout + made.stderr
    current = (copy / "README.md").read_text()
    assert current == (role / "README.md").read_text(), f"run: aar-doc roles/{role.name} markdown"


def test_no_rescue_in_what_a_handler_includes() -> None:
    """Ansible drops `rescue` and `always` of a file that a handler includes, without a word: nothing would go back."""
    included = [
        handlers.parents[1] / "tasks" / str(task["ansible.builtin.include_tasks"])
        for handlers in sorted((PROJECT / "roles").glob("*/handlers/main.yml"))
        for task in yaml.safe_load(handlers.read_text())
        if "ansible.builtin.include_tasks" in task
    ]
    assert included
    tasks = [task for file in included for task in yaml.safe_load(file.read_text())]
    assert [task["name"] for task in tasks if {"rescue", "always"} & set(task)] == []
