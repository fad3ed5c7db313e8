"""Rebuild and two at once. These tests throw the machine away, so they come last."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests import lab
from tests.lab.gateway import Host
from tests.lab.hosts.install import VARIABLES
from tests.lab.hosts.laptop import playbook

pytestmark = pytest.mark.last

HOME = lab.VMS / "openclaw"
PLANTED_FILE = "/home/openclaw/.openclaw/workspace/planted.txt"
BACKDOOR = "/usr/local/bin/backdoor"


def test_the_golden_image_has_no_secret(gateway: Host) -> None:
    """What a rebuild starts from never had a secret on it: not one of this machine's tokens and keys in any of its bytes."""
    token = json.loads(gateway.run("cat /etc/openclaw/secrets.json"))["gateway"]["token"]
    planted = lab.hosts_up()["openclaw"]["variables"]["lab_planted"]
    assert planted["token"] == token
    raw = lab.STATE / "golden.raw"
    try:
        lab.run("qemu-img", "convert", "-O", "raw", str(HOME / "golden.qcow2"), str(raw))
        # A line ends at a zero: the empty parts of the disk are no line without an end.
        found = subprocess.run(["grep", "-qazF", "-f", "-", str(raw)], check=False, input="\n".join(planted.values()), text=True)
        assert found.returncode == 1
    finally:
        raw.unlink(missing_ok=True)


def test_rebuild(gateway: Host) -> None:
    """A backdoor and what an agent left are gone, the machine has other keys, and the same gateway runs; the workspace comes along."""
    gateway.run(f"install -m 0755 /bin/true {BACKDOOR}; runuser -u openclaw -- sh -c 'echo mine >{PLANTED_FILE}'")
    keys = (HOME / "host_key.pub").read_text(), (HOME / "id_ed25519.pub").read_text()
    lab.note_starts("openclaw")
    done = playbook("playbooks/rebuild.yml", "--limit", "openclaw", "-e", "confirm=openclaw", *VARIABLES, "-e", "rebuild_keep=workspace")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]
    print(done.stdout[-1200:])
    lab.quiet("ssh", "-O", "exit", "-o", f"ControlPath={lab.STATE}/ssh-openclaw", "vm")
    assert gateway.ready()
    assert gateway.code(f"test -e {BACKDOOR}") == 1
    assert gateway.run(f"cat {PLANTED_FILE}") == "mine\n"
    assert gateway.run(f"stat -c %U {PLANTED_FILE}") == "openclaw\n"
    assert (HOME / "host_key.pub").read_text() != keys[0]
    assert (HOME / "id_ed25519.pub").read_text() != keys[1]
