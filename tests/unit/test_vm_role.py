# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `vm` and its playbooks, from nothing to nothing, against the double of multipass. The real qemu: molecule/vm."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import limits

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent

INVENTORY = """
gateways:
  hosts: {pot: {}}
  vars: {vm_provider: multipass, vm_user: keeper}
"""
PLAY = """
- hosts: gateways
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: vm}
"""
PREFLIGHT = """
- hosts: gateways
  gather_facts: false
  tasks:
    - delegate_to: localhost
      block:
        - ansible.builtin.import_role: {name: vm, tasks_from: preflight}
"""


class Operator:
    """Somebody with multipass, an inventory and a home of his own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.double, self.vms = folder, folder / "double", folder / "my vms"
        for name in ("double", "bin", "home", "inventory", "tmp"):
            (folder / name).mkdir()
        (folder / "bin/multipass").symlink_to(PROJECT / "tests/lab/doubles/multipass")
        (folder / "inventory/hosts.yml").write_text(INVENTORY)
        (folder / "play.yml").write_text(PLAY)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "LOBSTERPOT_", "XDG_"))},
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "HOME": str(folder / "home"),
            "LOBSTERPOT_VMS": str(self.vms),
            "MULTIPASS_DOUBLE": str(self.double),
            "NO_COLOR": "1",
            "PATH": f"{folder}/bin:{TOOLS}:{os.environ['PATH']}",
            "TMPDIR": str(folder / "tmp"),
        }

    def run(self, *argv: str | Path, fails: bool = False, both: bool = False) -> str:
        command = [str(TOOLS / argv[0]), "-i", str(self.folder / "inventory"), *map(str, argv[1:])]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=limits.PROGRAM,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr if both else done.stdout

    def play(self, playbook: str = "", *options: str, fails: bool = False, both: bool = False) -> str:
        path = PROJECT / "playbooks" / playbook if playbook else self.folder / "play.yml"
        return self.run("ansible-playbook", path, *options, fails=fails, both=both)

    def host(self) -> dict[str, Any]:
        variables: dict[str, Any] = json.loads(self.run("ansible-inventory", "--host", "pot"))
        return {name: value for name, value in variables.items() if name.startswith("ansible_")}

    def state(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.double / "state.json").read_text())
        return content

    def move(self, address: str) -> None:
        """Let multipass give the machine another address."""
        state = self.state()
        state["instances"]["pot"]["ipv4"] = address
        (self.double / "state.json").write_text(json.dumps(state))

    def holders(self, text: str) -> list[str]:
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(str(path.relative_to(self.folder)) for path in files if text in path.read_text(errors="replace"))


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def public_half(private: str, folder: Path) -> str:
    key = folder / "key"
    key.write_text(private)
    key.chmod(0o600)
    done = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], check=True, capture_output=True, text=True, timeout=limits.PROGRAM)
    key.unlink()
    return " ".join(done.stdout.split()[:2])


def test_from_nothing_to_nothing(operator: Operator) -> None:
    """Made, known to the inventory, found unchanged, stopped, started at another address, and removed without a trace."""
    assert "pot: the machine would be made and set up." in operator.play("", "--check", "--diff")
    assert not operator.vms.exists()
    said = operator.play("", "--diff", "-vvv")
    home = operator.vms / "pot"
    cloud_init = yaml.safe_load(operator.state()["instances"]["pot"]["user_data"])
    private = cloud_init["ssh_keys"]["ed25519_private"]
    secret = private.splitlines()[2]

    # Both sides know each other before the first login; the private halves are shown to nobody.
    assert (home / "known_hosts").read_text().split()[:3] == ["pot", *public_half(private, operator.folder).split()]
    assert [user["name"] for user in cloud_init["users"]] == ["keeper"]
    assert cloud_init["users"][0]["ssh_authorized_keys"] == [(home / "id_ed25519.pub").read_text().rstrip("\n")]
    assert secret not in said
    assert operator.holders(secret) == ["double/state.json", "my vms/pot/host_key"]

    for again in (operator.play(), operator.play("", "--check")):
        assert "changed=0 " in again, again
    host = operator.host()
    assert shlex.split(host.pop("ansible_ssh_common_args"))[:2] == ["-o", f'UserKnownHostsFile="{home}/known_hosts"']
    assert host == {
        "ansible_host": "10.97.0.76",
        "ansible_port": 22,
        "ansible_user": "keeper",
        "ansible_ssh_private_key_file": f"{home}/id_ed25519",
    }

    assert "pot: running, multipass, 2 CPUs, 4.00 GB of memory, disk 20.00 GB at most" in operator.play("vm-status.yml")
    assert "changed=1 " in operator.play("vm-stop.yml")
    assert operator.state()["instances"]["pot"]["state"] == "Stopped"
    operator.move("10.97.0.99")
    assert "changed=1 " in operator.play()
    assert operator.host()["ansible_host"] == "10.97.0.99"

    refused = operator.play("destroy.yml", "-e", "confirm=kettle", fails=True)
    assert "Nothing was removed." in refused
    assert (list(operator.state()["instances"]), (home / "machine.json").exists()) == (["pot"], True)
    operator.play("destroy.yml", "-e", "confirm=pot")
    assert (operator.state()["instances"], list(operator.vms.iterdir())) == ({}, [])
    assert operator.holders(secret) == []
    assert operator.host() == {}


def test_a_machine_of_another_inventory_is_refused(operator: Operator) -> None:
    """The same name in a second inventory: it does not get the machine, nor its keys, and cannot remove it."""
    home = operator.vms / "pot"
    home.mkdir(parents=True)
    record = {"format": 1, "provider": "multipass", "name": "pot", "owner": "/inventories/theirs", "user": "keeper", "port": 22}
    (home / "machine.json").write_text(json.dumps(record))
    assert operator.host() == {}
    refused = operator.play("destroy.yml", "-e", "confirm=pot", fails=True)
    assert "The name pot belongs to the inventory /inventories/theirs." in refused
    assert [path.name for path in home.iterdir()] == ["machine.json"]


def test_one_warning_of_emulation(operator: Operator) -> None:
    """Two machines of qemu in one inventory: one warning, before anything is made. multipass decides for itself: none."""
    hosts = {"pot": {}, "kettle": {}, "pan": {"vm_provider": "multipass"}}
    # An architecture that is not this computer's is emulated on any.
    foreign = {"x86_64": "arm64"}.get(platform.machine(), "x64")
    inventory = {"gateways": {"hosts": hosts, "vars": {"vm_provider": "qemu"}}}
    (operator.folder / "inventory/hosts.yml").write_text(json.dumps(inventory))
    (operator.folder / "play.yml").write_text(PREFLIGHT)
    said = operator.play("", "--check", "-e", f"__vm_arch={foreign}", both=True)
    assert said.count("The machine will be emulated: it is ") == 1
    assert said.count("\n    ./install.sh HOST\n") == 1
    assert not operator.vms.exists()
    said = operator.play("", "-e", f"__vm_arch={foreign}", "--limit", "pan", both=True)
    assert "emulated" not in said.replace("Warn when it will be emulated", "")
