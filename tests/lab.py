"""The lab: throw-away Debian hosts for the tests, each a systemd container in a network namespace of its own.

    python tests/lab.py up NAME[:trixie]...   make and start hosts, Debian 12 or 13
    python tests/lab.py down NAME...          remove them; without a name, everything the lab ever made
    python tests/lab.py inventory             print the hosts that are up, as an Ansible inventory script does
    python tests/lab.py laptop COMMAND...     run a command on the laptop

A host is reached by SSH (port 2022, user `admin`, key made at run time, host key known), as a real one is. All hosts and the
namespace `lp-neighbour`, from which the tests attack, hang on one bridge. The addresses exist only on this machine.

The laptop is a namespace, too: the computer that makes virtual machines, with a loopback of its own to attack.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".cache" / "lab"
VMS = STATE / "vms"
BRIDGE = "lp0"
NEIGHBOUR = "lp-neighbour"
LAPTOP = "lp-laptop"
LAPTOP_NUMBER = 251
SSH_PORT = 2022
SSH_USER = "admin"
IPV4 = "10.213.0."
IPV6 = "fd00:213::"
NAT_TABLE = "lobsterpot_lab"
BASE_PACKAGES = "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,python3,sudo,iproute2,ca-certificates,procps,e2fsprogs"
# Raising limits is not permitted everywhere; a container asks for more than it may have unless told.
LIMITS = ("--ulimit=nofile=20000:20000", "--ulimit=nproc=10000:10000")
SUITES = ("bookworm", "trixie")


def run(*argv: str, check: bool = True, text_in: str | None = None) -> str:
    """Run a command, return its output; its own words become the error."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, input=text_in)
    if check and done.returncode:
        raise SystemExit(f"lab: {' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def quiet(*argv: str) -> bool:
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def address(number: int) -> tuple[str, str]:
    return f"{IPV4}{number}", f"{IPV6}{number:x}"


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


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Scenarios run side by side: one at a time looks what of the network is there, and adds what is missing."""
    with Path("/run/lock/lobsterpot-lab").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def network() -> None:
    """One bridge, one neighbour, and a way out for the hosts' package manager."""
    if not quiet("ip", "link", "show", BRIDGE):
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{IPV4}1/24", "dev", BRIDGE)
        run("ip", "address", "add", f"{IPV6}1/64", "dev", BRIDGE, "nodad")
        run("ip", "link", "set", BRIDGE, "up")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    if not quiet("nft", "list", "table", "ip", NAT_TABLE):
        rules = f"""table ip {NAT_TABLE} {{
          chain postrouting {{ type nat hook postrouting priority srcnat;
            ip saddr {IPV4}0/24 oifname != "{BRIDGE}" masquerade; }}
        }}"""
        run("nft", "-f", "-", text_in=rules)
    namespace(NEIGHBOUR, 250, default_route=False)


def namespace(name: str, number: int, *, default_route: bool = True) -> None:
    if quiet("ip", "-n", name, "link", "show", "eth0"):
        return
    four, six = address(number)
    run("ip", "netns", "add", name)
    run("ip", "link", "add", f"lpv{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
    # The same hardware address each time a host is made anew: neighbours remember the old one for a while.
    run("ip", "-n", name, "link", "set", "eth0", "address", f"02:00:00:00:00:{number:02x}")
    run("ip", "link", "set", f"lpv{number}", "master", BRIDGE, "up")
    quiet("ip", "neigh", "flush", "dev", BRIDGE)
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", name, "address", "add", f"{four}/24", "dev", "eth0")
    run("ip", "-n", name, "address", "add", f"{six}/64", "dev", "eth0", "nodad")
    run("ip", "-n", name, "link", "set", "eth0", "up")
    if default_route:
        run("ip", "-n", name, "route", "add", "default", "via", f"{IPV4}1")


def netns(space: str, *command: str) -> list[str]:
    """The command line that runs a command in a network namespace."""
    return ["ip", "netns", "exec", space, *command]


def laptop(command: list[str]) -> int:
    """Run a command on the laptop, whose virtual machines lie in the lab's folder; return its exit code."""
    with alone():
        network()
        namespace(LAPTOP, LAPTOP_NUMBER)
    environment = {**os.environ, "LOBSTERPOT_VMS": str(VMS)}
    return subprocess.run(netns(LAPTOP, *command), check=False, env=environment).returncode


def nameservers() -> list[str]:
    """The resolvers of this machine that a namespace can reach."""
    for candidate in ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"):
        with contextlib.suppress(FileNotFoundError):
            words = [line.split() for line in Path(candidate).read_text().splitlines()]
            found = [w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and not w[1].startswith("127.")]
            if found:
                return found
    raise SystemExit("lab: no resolver outside loopback in /etc/resolv.conf")


def operator_key() -> Path:
    key = STATE / "id_ed25519"
    if not key.exists():
        STATE.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab operator", "-f", str(key))
    return key


def is_machine(name: str) -> bool:
    """Whether a host is a virtual machine on the laptop, and no container."""
    return (VMS / name).exists()


def door(name: str) -> list[str]:
    """The beginning of a command line that runs a command in the host as root: a container's own door, a virtual machine's SSH."""
    if not is_machine(name):
        return ["podman", "exec", "-i", f"lp-{name}"]
    home = VMS / name
    port = json.loads((home / "machine.json").read_text())["port"]
    options = [
        f"UserKnownHostsFile={home}/known_hosts",
        f"HostKeyAlias={name}",
        "IdentitiesOnly=yes",
        "LogLevel=ERROR",
        "ConnectTimeout=20",
    ]
    options += ["ControlMaster=auto", f"ControlPath={STATE}/ssh-{name}", "ControlPersist=60"]
    ssh = ["ssh", "-F", "none", "-i", f"{home}/id_ed25519", "-p", str(port), *(part for option in options for part in ("-o", option))]
    return netns(LAPTOP, *ssh, "lobsterpot@127.0.0.1", "sudo")


def inside(name: str, script: str, *, check: bool = True) -> str:
    """Run a shell script in the host as root, by its own door."""
    return run(*door(name), "bash", "-euo", "pipefail", "-s", check=check, text_in=script)


def wait_until_up(name: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = run("podman", "exec", f"lp-{name}", "systemctl", "is-system-running", check=False).strip()
        if state in ("running", "degraded"):
            # As udev has it on a real host. Here it has the mode that this computer's has, which may have no udev.
            quiet("podman", "exec", f"lp-{name}", "chmod", "0666", "/dev/net/tun")
            return
        time.sleep(0.2)
    raise SystemExit(f"lab: {name} did not come up in {seconds:.0f} s (systemd says {state or 'nothing'})")


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
        network()
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


def hosts() -> dict[str, dict[str, Any]]:
    """The hosts that are up, by name: their number and their inventory variables."""
    return {path.stem.removeprefix("host-"): json.loads(path.read_text()) for path in sorted(STATE.glob("host-*.json"))}


def inventory() -> dict[str, object]:
    """What an Ansible inventory script prints."""
    found = hosts()
    return {
        "gateways": {"hosts": list(found)},
        "_meta": {"hostvars": {name: state["variables"] for name, state in found.items()}},
    }


def down(names: list[str]) -> None:
    for name in (wanted.partition(":")[0] for wanted in names):
        quiet("podman", "rm", "--force", "--time", "2", f"lp-{name}")
        # Connections that Ansible keeps open lead to a host that is gone; a new one gets the same address.
        for socket in (Path.home() / ".ansible" / "cp").glob("*"):
            quiet("ssh", "-O", "stop", "-o", f"ControlPath={socket}", "lab")
        quiet("podman", "volume", "rm", "--force", f"lp-{name}-home")
        quiet("ip", "netns", "delete", f"lp-{name}")
        (STATE / f"host-{name}.json").unlink(missing_ok=True)


def restart(name: str) -> None:
    """Reboot a machine; stop a whole container and start it again, which is what a container can show of a reboot."""
    if is_machine(name):
        return reboot(name)
    run("podman", "restart", "--time", "20", f"lp-{name}")
    return wait_until_up(name)


def reboot(name: str, seconds: float = 300) -> None:
    """Reboot a virtual machine and wait until it can be logged in to again."""
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = inside(name, boot_id)
    inside(name, "systemctl reboot", check=False)
    quiet("ssh", "-O", "exit", "-o", f"ControlPath={STATE}/ssh-{name}", "vm")
    deadline = time.monotonic() + seconds
    while inside(name, boot_id, check=False) in ("", before):
        if time.monotonic() > deadline:
            raise SystemExit(f"lab: {name} did not come back in {seconds:.0f} s")
        time.sleep(1)


def site(name: str, *arguments: str, playbook: str = "site.yml", through: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run site.yml, or another playbook, on one host as an operator does; the caller judges the result. `through`: a command in front."""
    inventory = "inventories/local" if is_machine(name) else "molecule/shared/inventory"
    command = [*through, "ansible-playbook", "-i", inventory, "--limit", name, playbook, *arguments]
    environment = {**os.environ, "NO_COLOR": "1", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LOBSTERPOT_VMS": str(VMS)}
    if through:  # a connection that Ansible keeps open out here leads nowhere in there
        environment["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(STATE / "cp-through")
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=900)


def everything_down() -> None:
    containers = run("podman", "ps", "--all", "--format", "{{.Names}}").split()
    namespaces = [line.split()[0] for line in run("ip", "netns", "list").splitlines()]
    down(sorted({name.removeprefix("lp-") for name in (*containers, *namespaces) if name.startswith("lp-")}))
    quiet("pkill", "--signal", "KILL", "--full", f"run_vm.py {VMS}/")
    shutil.rmtree(VMS, ignore_errors=True)
    for name in (NEIGHBOUR, LAPTOP):
        quiet("ip", "netns", "delete", name)
    for link in json.loads(run("ip", "-json", "link", "show", "type", "bridge")):
        if link["ifname"].startswith(("lpv", BRIDGE)):  # the lab's own, and those that held a number for an arena
            quiet("ip", "link", "delete", link["ifname"])
    quiet("nft", "delete", "table", "ip", NAT_TABLE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["up", "down", "inventory", "laptop"])
    parser.add_argument("names", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.verb == "inventory":
        print(json.dumps(inventory(), indent=2))
    elif os.geteuid():
        raise SystemExit("lab: run as root; it makes network namespaces and privileged containers")
    elif arguments.verb == "laptop":
        raise SystemExit(laptop(arguments.names))
    elif arguments.verb == "up":
        up(arguments.names)
    elif arguments.names:
        down(arguments.names)
    else:
        everything_down()


if __name__ == "__main__":
    main()
