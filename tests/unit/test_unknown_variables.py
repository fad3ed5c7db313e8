# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S14: a misspelled variable stops the run before any host is asked. Ignored, it leaves the operator with a wrong belief."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.lookup.unknown_variables import LookupModule
from tests.lab import limits

PROJECT = Path(__file__).parents[2]
# Nobody listens there: a run that is not refused ends here, and touches nothing.
NOBODY = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
TYPOS: dict[str, object] = {
    "gateway_modle": "anthropic/claude-opus-4-6",
    "acces_people": {"ada": {"telegram": "123456789"}},
    "access_authorative": True,
}
TOLD = [
    "acces_people: unknown variable, did you mean access_people? Correct the name. If the variable is your own, rename it.",
    "access_authorative: unknown variable, did you mean access_authoritative? Correct the name. If the variable is your own, rename it.",
    "gateway_modle: unknown variable, did you mean gateway_model? Correct the name. If the variable is your own, rename it.",
]


def refused(names: Iterable[str]) -> list[str]:
    return [line.partition(":")[0] for line in LookupModule().run([], dict.fromkeys(names))]


def playbook(inventory: Path, name: str, *arguments: str, extra: dict[str, object] | None = None) -> tuple[int, str]:
    """Run a playbook of the project; return the exit code and what it said."""
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        str(inventory),
        name,
        *arguments,
        "-e",
        json.dumps(extra or {}),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "NO_COLOR": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT, env=environment, timeout=limits.PROGRAM)
    return done.returncode, done.stdout + done.stderr


def told(said: str) -> list[str]:
    """The lines of the message of the failed task."""
    message = re.search(r"msg: \|-\n((?: +\S.*\n)+)", said)
    assert message, said
    return [line.strip() for line in message[1].splitlines()]


@pytest.fixture
def inventory(tmp_path: Path) -> Callable[..., Path]:
    """Make an inventory of one host with variables in its file, a group's and the host's."""

    def write(in_file: object = None, group_vars: object = None, host_vars: object = None) -> Path:
        for folder in ("group_vars", "host_vars"):
            (tmp_path / folder).mkdir()
        hosts = {"gateways": {"hosts": {"pot": NOBODY}, "vars": in_file or {}}}
        (tmp_path / "hosts.yml").write_text(json.dumps(hosts))
        (tmp_path / "group_vars/gateways.yml").write_text(json.dumps(group_vars or {}))
        (tmp_path / "host_vars/pot.yml").write_text(json.dumps(host_vars or {}))
        return tmp_path

    return write


@pytest.mark.parametrize("source", ["in_file", "group_vars", "host_vars", "extra"])
def test_each_source(inventory: Callable[..., Path], source: str) -> None:
    """The inventory file, a group, a host and the command line; no host is asked."""
    hosts = inventory() if source == "extra" else inventory(**{source: TYPOS})
    code, said = playbook(hosts, "playbooks/access.yml", extra=TYPOS if source == "extra" else {})
    assert code == 2, said
    assert told(said) == [*TOLD, "Nothing was changed."]
    assert "unreachable=0" in said


def test_check_mode(inventory: Callable[..., Path]) -> None:
    """Check mode says the same."""
    modle, people, authoritative = ({name: value} for name, value in TYPOS.items())
    code, said = playbook(inventory(modle, people, authoritative), "site.yml", "--check", extra={"sandbox_memroy": "2g"})
    assert code == 2, said
    memory = "sandbox_memroy: unknown variable, did you mean sandbox_memory? Correct the name. If the variable is your own, rename it."
    assert told(said) == [*TOLD, memory, "Nothing was changed."]
    assert "unreachable=0" in said


@pytest.mark.parametrize("name", ["site.yml", "playbooks/rebuild.yml", "playbooks/rotate.yml"])
def test_each_playbook(inventory: Callable[..., Path], name: str) -> None:
    """Whatever changes a host refuses first; together with all else that is wrong with the policy."""
    code, said = playbook(inventory(group_vars=TYPOS), name, extra={"rebuild_kep": "workspace", "gateway_port": 80, "confirm": "pot"})
    assert code != 0
    for line in (*TOLD, "rebuild_kep: unknown variable, did you mean rebuild_keep?", "gateway_port: must be a number from 1024"):
        assert line in said
    assert "unreachable=0" in said


def test_the_example_is_taken() -> None:
    """With all variables of all roles and of the example, site.yml comes as far as the host."""
    keys = {"vault_anthropic_key": secrets.token_hex(), "vault_telegram_bot_token": f"1:{secrets.token_hex()}"}
    code, said = playbook(PROJECT / "inventories/example", "site.yml", "--limit", "desk.example", extra=NOBODY | keys)
    assert code == 4, said
    assert "unreachable=1" in said


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("gatway_modle", "gateway_model"),
        ("gate_way_model", "gateway_model"),
        ("gatewaymodel", "gateway_model"),
        ("acess_channels", "access_channels"),
        ("access-people", "access_people"),
        ("firewal_extra_rule", "firewall_extra_rules"),
        ("sandbox_refrehs", "sandbox_refresh"),
        ("egres_domain", "egress_domains"),
        ("vm_memroy", "vm_memory"),
        ("ssh_deny_user", "ssh_deny_users"),
        ("adopt_usr", "adopt_user"),
        ("rebuld_keep", "rebuild_keep"),
        ("release_zzz", "release_ca_file"),
        # An internal name, gateway_unit, is no advice.
        ("gateway_unti", "gateway_runtime"),
    ],
)
def test_nearest_name(name: str, nearest: str) -> None:
    assert LookupModule().run([], {name: None}) == [
        f"{name}: unknown variable, did you mean {nearest}? Correct the name. If the variable is your own, rename it."
    ]


def test_variables_of_others() -> None:
    """What begins otherwise is nobody's business, even where it ends like a variable of the project."""
    others = """
        ansible_user ansible_ssh_port ansible_host inventory_hostname groups hostvars omit role_name playbook_dir molecule_file
        app_port db_name vg_name vpn_network lb_network vpn_directory vlan_timeout pm_timeout vms gateway gateways access
        account vm ssh release
        vault_gateway_token my_gateway_token old_access_people team_access_people work_gateway_model lab_planted
        sshd_config_file sshd_AllowUsers openssh_port firewalld_zone firewalld_allow_services accounts_list releases_to_keep
        vmware_name nginx_port postgresql_user docker_users k3s_version security_ssh_port sandboxes verified_by accessible baselines
        __gateway_ready __access_found __fail2ban_x _gateway_model
    """
    assert refused(others.split()) == []


def top_level(text: str) -> set[str]:
    loaded = yaml.safe_load(text)
    return set(loaded) if isinstance(loaded, dict) else set()


def documented() -> Iterator[str]:
    """Every variable that a document, an example or a playbook's head tells somebody to set."""
    documents = [PROJECT / "README.md", PROJECT / "install.sh", *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("roles/*/README.md")]
    playbooks = [*PROJECT.glob("playbooks/**/*.yml"), *PROJECT.glob("roles/*/tasks/*.yml"), *PROJECT.glob("roles/*/defaults/*.yml")]
    for path in (*documents, *playbooks):
        yield from re.findall(r"-e '?(\w+)=", path.read_text())
    for path in documents:
        for block in re.findall(r"```ya?ml\n(.*?)```", path.read_text(), re.DOTALL):
            yield from top_level(block)
        yield from re.findall(r"^\| `(\w+)` \| ", path.read_text(), re.MULTILINE)
    for path in (*PROJECT.glob("inventories/**/*_vars/**/*.yml"), *PROJECT.glob("molecule/**/*vars/**/*.yml")):
        text = path.read_text()
        yield from top_level(text) | set(re.findall(r"^# ?(\w+):", text, re.MULTILINE))


def test_no_documented_variable_is_refused() -> None:
    """The documents' own examples work."""
    found = set(documented())
    assert found >= {
        "access_people",
        "adopt_user",
        "adopt_without",
        "approve",
        "confirm",
        "egress_domains",
        "gateway_version",
        "rebuild_from",
        "rebuild_keep",
        "rotate",
        "sandbox_refresh",
        "vault_telegram_bot_token",
        "verify_report",
        "vm_provider",
    }
    assert refused(found) == []


def defined(node: object) -> Iterator[str]:
    """Every name that a play or task gives a value."""
    if isinstance(node, list):
        for item in node:
            yield from defined(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("register", "loop_var", "index_var"):
                yield str(value)
            elif key in ("vars", "ansible.builtin.set_fact"):
                yield from value
            yield from defined(value)


def test_no_internal_variable_is_refused() -> None:
    """What playbooks and roles set for themselves is there when a second play of the same run looks."""
    tasks = [
        PROJECT / "site.yml",
        *PROJECT.glob("playbooks/**/*.yml"),
        *PROJECT.glob("roles/*/tasks/*.yml"),
        *PROJECT.glob("molecule/**/*.yml"),
    ]
    found: set[str] = set()
    for path in tasks:
        loaded: Any = yaml.safe_load(path.read_text())
        found |= set(defined(loaded))
    for path in PROJECT.glob("roles/*/vars/*.yml"):
        found |= top_level(path.read_text())
    assert found >= {
        "gateway_policy",
        "release_gateway",
        "release_sandbox",
        "host_state",
        "adoption_as_user",
        "gateway_state",
        "__access_store",
    }
    assert refused(found) == []
