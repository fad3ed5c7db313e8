"""Throw-away Debian hosts, each a systemd container in a network namespace of its own."""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from tests.lab import limits
from tests.lab.hosts.doors import inside
from tests.lab.hosts.starts import forget, note_starts
from tests.lab.network.bridge import address, alone, lay_bridge, nameservers, namespace
from tests.lab.shell import STATE, quiet, run

SSH_PORT = 2022
SSH_USER = "admin"
BASE_PACKAGES = "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,python3,sudo,iproute2,ca-certificates,procps,e2fsprogs"
# Raising limits is not permitted everywhere; a container asks for more than it may have unless told.
LIMITS = ("--ulimit=nofile=20000:20000", "--ulimit=nproc=10000:10000")
SUITES = ("bookworm", "trixie")


def base_image(suite: str) -> str:
    """Build the base image of a Debian release once; its name holds the hash of what went in."""
    key = hashlib.sha256(BASE_PACKAGES.encode()).hexdigest()[:12]
    image = f"localhost/lobsterpot-lab:{suite}-{key}"
    if quiet("podman", "image", "exists", image):
        return image
    STATE.mkdir(parents=True, exist_ok=True)
    tar = STATE / f"base-{suite}-{key}.tar"
    print("lab: building the base image, half a minute ...", file=sys.stderr, flush=True)
    run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}", suite, str(tar))
    run("podman", "--runtime", "runc", "import", "--quiet", str(tar), image)
    tar.unlink()
    return image


def operator_key() -> Path:
    key = STATE / "id_ed25519"
    if not key.exists():
        STATE.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab operator", "-f", str(key))
    return key


def wait_until_up(name: str) -> None:
    deadline = time.monotonic() + limits.CONTAINER_UP
    while time.monotonic() < deadline:
        state = run("podman", "exec", f"lp-{name}", "systemctl", "is-system-running", check=False).strip()
        if state in ("running", "degraded"):
            # As udev has it on a real host. Here it has the mode that this computer's has, which may have no udev.
            quiet("podman", "exec", f"lp-{name}", "chmod", "0666", "/dev/net/tun")
            return
        time.sleep(0.2)
    raise SystemExit(f"lab: {limits.waited(limits.CONTAINER_UP, f'{name} is up')} (systemd says {state or 'nothing'})")


def start(name: str, suite: str, number: int) -> dict[str, Any]:
    image = base_image(suite)
    four, six = address(number)
    key = operator_key()
    run(
        "podman",
        "--runtime",
        "runc",
        "run",
        "--detach",
        "--name",
        f"lp-{name}",
        "--hostname",
        name,
        "--systemd=always",
        "--privileged",
        *LIMITS,
        "--network",
        f"ns:/run/netns/lp-{name}",
        *(f"--dns={server}" for server in nameservers()),
        # Rootless podman cannot put its overlay on the container's own overlay.
        "--volume",
        f"lp-{name}-home:/home",
        image,
        "/sbin/init",
    )
    wait_until_up(name)
    public = Path(f"{key}.pub").read_text().strip()
    inside(
        name,
        f"""
        useradd --create-home --shell /bin/bash {SSH_USER}
        echo '{SSH_USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{SSH_USER}
        install -d -m 0700 -o {SSH_USER} -g {SSH_USER} /home/{SSH_USER}/.ssh
        echo '{public}' >/home/{SSH_USER}/.ssh/authorized_keys
        chown {SSH_USER}: /home/{SSH_USER}/.ssh/authorized_keys
        echo 'Port {SSH_PORT}' >/etc/ssh/sshd_config.d/00-port.conf
        rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -A
        systemctl restart ssh
        """,
    )
    host_keys = inside(name, "cat /etc/ssh/ssh_host_*_key.pub").splitlines()
    known_hosts = STATE / f"known_hosts-{name}"
    known_hosts.write_text("".join(f"[{four}]:{SSH_PORT} {' '.join(k.split()[:2])}\n" for k in host_keys))
    return {
        "ansible_host": four,
        "ansible_port": SSH_PORT,
        "ansible_user": SSH_USER,
        "ansible_become": True,
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={known_hosts} -o StrictHostKeyChecking=yes",
        "lab_ipv6": six,
        # Secrets for the tests to plant and then look for: new ones for each host, never in the repository.
        "lab_planted": {name: f"planted-{name}-{secrets.token_hex(16)}" for name in ("token", "model", "extra")},
    }


def up(names: list[str]) -> None:
    with alone():
        lay_bridge()
    STATE.mkdir(parents=True, exist_ok=True)
    for wanted in names:
        name, _, suite = wanted.partition(":")
        down([name])
        # Another clone may have hosts up: what counts is who hangs on the bridge.
        with alone():
            number = next(n for n in range(10, 200) if not quiet("ip", "link", "show", f"lpv{n}"))
            namespace(f"lp-{name}", number)
        variables = start(name, suite or SUITES[0], number)
        (STATE / f"host-{name}.json").write_text(json.dumps({"number": number, "variables": variables}))


def down(names: list[str]) -> None:
    for name in (wanted.partition(":")[0] for wanted in names):
        note_starts(name)
        forget(name)
        quiet("podman", "rm", "--force", "--time", str(limits.CONTAINER_END), f"lp-{name}")
        # Connections that Ansible keeps open lead to a host that is gone; a new one gets the same address.
        for socket in (Path.home() / ".ansible" / "cp").glob("*"):
            quiet("ssh", "-O", "stop", "-o", f"ControlPath={socket}", "lab")
        quiet("podman", "volume", "rm", "--force", f"lp-{name}-home")
        quiet("ip", "netns", "delete", f"lp-{name}")
        (STATE / f"host-{name}.json").unlink(missing_ok=True)
