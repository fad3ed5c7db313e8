"""What an operator does with a host: restart it, run a playbook on it."""

from __future__ import annotations

import os
import subprocess
import time

from tests.lab import limits
from tests.lab.hosts.containers import wait_until_up
from tests.lab.hosts.doors import inside, is_machine
from tests.lab.hosts.starts import note_starts
from tests.lab.shell import ROOT, STATE, VMS, quiet, run


def restart(name: str) -> None:
    """Reboot a machine; stop a whole container and start it again, which is what a container can show of a reboot."""
    note_starts(name)
    if is_machine(name):
        return reboot(name)
    run("podman", "restart", "--time", str(limits.CONTAINER_STOP), f"lp-{name}")
    return wait_until_up(name)


def reboot(name: str) -> None:
    """Reboot a virtual machine and wait until it can be logged in to again."""
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = inside(name, boot_id)
    inside(name, "systemctl reboot", check=False)
    quiet("ssh", "-O", "exit", "-o", f"ControlPath={STATE}/ssh-{name}", "vm")
    deadline = time.monotonic() + limits.REBOOT
    while inside(name, boot_id, check=False) in ("", before):
        if time.monotonic() > deadline:
            raise SystemExit(f"lab: {limits.waited(limits.REBOOT, f'{name} comes back from its reboot')}")
        time.sleep(1)


def site(name: str, *arguments: str, playbook: str = "site.yml", through: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run site.yml, or another playbook, on one host as an operator does; the caller judges the result. `through`: a command in front."""
    inventory = "inventories/local" if is_machine(name) else "molecule/shared/inventory"
    command = [*through, "ansible-playbook", "-i", inventory, "--limit", name, playbook, *arguments]
    environment = {**os.environ, "NO_COLOR": "1", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LOBSTERPOT_VMS": str(VMS)}
    if through:  # a connection that Ansible keeps open out here leads nowhere in there
        environment["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(STATE / "cp-through")
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=limits.PLAYBOOK)
