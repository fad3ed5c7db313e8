# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible finds the machines, and what it says while somebody waits."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from ansible.executor.task_result import CallbackTaskResult
from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.plugins.callback.default import CallbackModule

from plugins.callback import findings, progress
from plugins.vars import lobsterpot_vm
from tests.lab import limits

PROJECT = Path(__file__).resolve().parents[2]
MINE = "/inventories/mine"
RECORD = {"name": "pot", "owner": MINE, "user": "lobsterpot", "port": 40022}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write the record of a machine into a folder with a space in its name, and return the machine's own."""
    vms = tmp_path / "my vms"
    monkeypatch.setenv("LOBSTERPOT_VMS", str(vms))

    def write(name: str = "pot", text: str | None = None, **changes: object) -> Path:
        home = vms / name
        home.mkdir(parents=True, exist_ok=True)
        (home / "machine.json").write_text(json.dumps(RECORD | changes) if text is None else text)
        return home

    return write


def asked(name: str, inventory: str = MINE, **variables: object) -> dict[str, Any]:
    host = Host(name)
    for key, value in variables.items():
        host.set_variable(key, value)
    found: dict[str, Any] = lobsterpot_vm.VarsModule().get_vars(None, inventory, [host])
    return found


def test_connection(machine: Callable[..., Path]) -> None:
    """Address, port and keys of the machine, its host key known and checked, whatever its folder is called."""
    home = machine()
    found = asked("pot")
    assert shlex.split(found.pop("ansible_ssh_common_args")) == [
        *("-o", f'UserKnownHostsFile="{home}/known_hosts"', "-o", "GlobalKnownHostsFile=/dev/null", "-o", "HostKeyAlias=pot"),
        *("-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"),
    ]
    assert found == {
        "ansible_host": "127.0.0.1",
        "ansible_port": 40022,
        "ansible_user": "lobsterpot",
        "ansible_ssh_private_key_file": f"{home}/id_ed25519",
    }


def test_another_address(machine: Callable[..., Path]) -> None:
    """A machine that is not behind a port of loopback is met where its record says."""
    machine(address="10.97.0.76", port=22)
    assert (asked("pot")["ansible_host"], asked("pot")["ansible_port"]) == ("10.97.0.76", 22)


def test_another_name(machine: Callable[..., Path]) -> None:
    """A host whose machine is called otherwise in the inventory."""
    machine("kettle")
    assert asked("pot", vm_name="kettle")["ansible_port"] == 40022
    assert asked("kettle", vm_name="pot") == {}


@pytest.mark.parametrize("inventory", ["/inventories/theirs", "/inventories/mine/", "/inventories", ""])
def test_another_inventory_gets_nothing(machine: Callable[..., Path], inventory: str) -> None:
    """A host that is called like somebody's machine must not be set up in that machine, nor be given its keys."""
    machine()
    assert asked("pot", inventory) == {}


@pytest.mark.parametrize("name", ["po", "pott", "other", "localhost"])
def test_another_host_gets_nothing(machine: Callable[..., Path], name: str) -> None:
    """Hosts that are no machines keep the connection they have."""
    machine()
    assert asked(name) == {}


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "{}", '{"owner": "/inventories/mine"}', '{"owner": "/inventories/mine", "made": false, "name": "pot"}']
)
def test_a_machine_without_a_port_gets_nothing(machine: Callable[..., Path], text: str) -> None:
    """A record that is damaged, or of a machine that never started, breaks no other command."""
    machine(text=text)
    assert asked("pot") == {}


def test_groups_get_nothing(machine: Callable[..., Path]) -> None:
    """A group that is called like a machine is none."""
    machine()
    assert lobsterpot_vm.VarsModule().get_vars(None, MINE, Group("pot")) == {}


PLAY = """
- hosts: pot
  gather_facts: false
  tasks:
    - name: Show the connection
      ansible.builtin.debug:
        msg: "{{ ansible_host }} {{ ansible_port }}"
    - name: Try again and again
      block:
        - name: Never succeed
          ansible.builtin.command: {argv: ["false"]}
          register: tried
          until: tried is success
          retries: 2
          delay: 0
          delegate_to: localhost
          vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
      rescue:
        - name: Go on
          ansible.builtin.debug: {msg: went on}
"""


@pytest.mark.parametrize(("callback", "retries", "times"), [("progress", 0, 1), ("default", 2, 0)])
def test_a_real_run(machine: Callable[..., Path], tmp_path: Path, callback: str, retries: int, times: int) -> None:
    """ansible-playbook with this project's settings knows the machine, does not list each attempt, and ends with the time it took."""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text("all: {hosts: {pot: {}}}\n")
    machine(owner=str(inventory))
    (tmp_path / "play.yml").write_text(PLAY)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    changes = {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "TMPDIR": str(temporary),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), str(tmp_path / "play.yml")],
        check=False,
        capture_output=True,
        text=True,
        timeout=limits.PROGRAM,
        cwd=tmp_path,
        env={**os.environ, **changes},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "    msg: 127.0.0.1 40022" in lines
    assert sum("FAILED - RETRYING" in line for line in lines) == retries
    assert sum(line.startswith("Time 0:") for line in lines) == times
    assert not times or lines[-1].startswith("Time 0:")
    assert list(temporary.glob("lobsterpot-progress-*")) == []


class Clock:
    """A clock that only sleeping and the test move, with an end."""

    def __init__(self, drift: float, end: float) -> None:
        self.now, self.drift, self.end = 100.0, drift, 100.0 + end

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.drift
        if self.now > self.end:
            raise EOFError


class Screen:
    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, line: str) -> None:
        self.lines.append(line)


def task(name: str, role: str = "") -> SimpleNamespace:
    return SimpleNamespace(get_name=lambda: name, _role=SimpleNamespace(get_name=lambda: role) if role else None)


Told = tuple[progress.CallbackModule, Clock, list[str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Told:
    """The callback on a clock of its own, and what it displays."""
    drift = getattr(request, "param", 0.0)
    clock, screen = Clock(drift, 50.0), Screen()
    monkeypatch.setenv("LOBSTERPOT_PROGRESS", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "threading", SimpleNamespace(Thread=lambda **_: SimpleNamespace(start=lambda: None)))
    monkeypatch.setattr(CallbackModule, "v2_playbook_on_stats", lambda *_: None)
    callback = progress.CallbackModule()
    callback._display = screen
    return callback, clock, screen.lines


@pytest.mark.parametrize("told", [0.0, 0.3, 0.7], indirect=True)
def test_heartbeat(told: Told) -> None:
    """Whoever waits for a step sees every 15 seconds that it goes on, and how far: on a busy computer, too, whose seconds are long."""
    callback, _, lines = told
    callback._switch(task("VM | Have it running", "vm"))
    Path(os.environ["LOBSTERPOT_PROGRESS"]).write_text("copying the golden image\n")
    with pytest.raises(EOFError):
        callback._beat()
    assert [line[:9] for line in lines] == ["  ... 0:1", "  ... 0:3", "  ... 0:4"]
    assert {line[11:] for line in lines} == {"VM | Have it running: copying the golden image"}


def test_no_heartbeat_between_steps(told: Told) -> None:
    """What is quick, or over, is not worth a line."""
    callback, clock, lines = told
    with pytest.raises(EOFError):
        callback._beat()
    clock.end += 10
    callback._switch(task("Quick"))
    with pytest.raises(EOFError):
        callback._beat()
    assert lines == []


def test_a_step_does_not_inherit_a_report(told: Told) -> None:
    """The last words of one step said at the next would mislead."""
    callback, _, lines = told
    callback._switch(task("One"))
    Path(os.environ["LOBSTERPOT_PROGRESS"]).write_text("booting\n")
    callback._switch(task("Two"))
    with pytest.raises(EOFError):
        callback._beat()
    assert lines == ["  ... 0:15 Two", "  ... 0:30 Two", "  ... 0:45 Two"]


def test_time_table(told: Told, tmp_path: Path) -> None:
    """Where the time went, by role, and the slowest steps; what took no time is left out, and nothing is left on the disk."""
    callback, clock, lines = told
    for seconds, step in [
        (2.0, task("Read")),
        (70.5, task("VM | Have it running", "vm")),
        (0.4, task("SSH | Check", "ssh")),
        (16.0, task("Packages", "baseline")),
        (9.0, task("VM | Golden", "vm")),
    ]:
        callback._switch(step)
        clock.now += seconds
    callback.v2_playbook_on_stats(None)
    assert lines == ["Time 1:37: preparation 0:02, vm 1:19, baseline 0:16", "    1:10  VM | Have it running", "    0:16  Packages"]
    assert list(tmp_path.glob("lobsterpot-progress-*")) == []


class Noted:
    """The callback with one play, and results as Ansible hands them over."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.callback = findings.CallbackModule()
        manager = SimpleNamespace(set_nonpersistent_facts=lambda host, facts: self.facts.setdefault(host, {}).update(facts))
        self.callback.v2_playbook_on_play_start(SimpleNamespace(get_variable_manager=lambda: manager))

    def result(self, *, host: str = "a", role: str = "gateway", **result: Any) -> SimpleNamespace:
        task = SimpleNamespace(_role=SimpleNamespace(get_name=lambda: role), get_name=lambda: f"{role} : Gateway | Write it")
        found = CallbackTaskResult(cast(Any, Host(host)), cast(Any, task), result, {}).result
        return SimpleNamespace(host=Host(host), task=task, result=found, is_changed=lambda: bool(result.get("changed")))


@pytest.mark.parametrize(
    ("result", "what"),
    [
        ({"paths": ["/etc/a", "/etc/b"]}, ["/etc/a", "/etc/b"]),
        ({"dest": "/etc/c", "diff": {"before": "text", "after": "other"}}, ["/etc/c"]),
        ({"name": "x.service", "status": {}}, ["x.service"]),
        (
            {"results": [{"changed": True, "item": "x"}, {"changed": False, "item": "y"}, {"changed": True, "_ansible_item_label": "z"}]},
            ["x", "z"],
        ),
        ({"results": [{"changed": True, "censored": "hidden", "item": "secret"}]}, []),
        ({"censored": "hidden", "dest": "/etc/secret"}, []),
        ({"msg": "text"}, []),
    ],
)
def test_findings_name_what_would_change(result: dict[str, Any], what: list[str]) -> None:
    """Files and items by name, never their content; nothing of a task that must not be logged."""
    noted = Noted()
    noted.callback.v2_runner_on_ok(noted.result(changed=True, **result))
    assert noted.facts == {"a": {"findings": {"changes": [{"topic": "gateway", "step": "Write it", "what": what}], "failures": []}}}


def test_findings_of_each_host() -> None:
    """A host in order has an empty list, not none; a failure keeps its words, and a new play begins anew."""
    noted = Noted()
    noted.callback.v2_runner_on_ok(noted.result(changed=False))
    noted.callback.v2_runner_on_failed(noted.result(host="b", failed=True, msg="no such thing"))
    noted.callback.v2_runner_on_failed(noted.result(host="b", failed=True, censored="hidden", msg="a secret"))
    failures = [{"topic": "gateway", "step": "Write it", "words": words} for words in ("no such thing", "")]
    assert noted.facts["a"]["findings"] == {"changes": [], "failures": []}
    assert noted.facts["b"]["findings"] == {"changes": [], "failures": failures}


def test_verify_asks_every_role_of_site() -> None:
    """A role that site.yml gains is asked for drift as well, in the same order; those that make machines have nothing to compare."""
    tasks = yaml.safe_load((PROJECT / "site.yml").read_text())[0]["tasks"]
    read = next(number for number, task in enumerate(tasks) if "ansible.builtin.import_tasks" in task)
    site = [task["ansible.builtin.import_role"] for task in tasks[read + 1 :]]
    there = [(role["name"], role.get("tasks_from", "main")) for role in site if role["name"] not in ("vm", "verify")]
    play = yaml.safe_load((PROJECT / "playbooks/verify.yml").read_text())[0]
    assert [(item["role"], item.get("part", "main")) for item in play["tasks"][0]["block"][1]["loop"]] == there
    assert play["check_mode"] is True
