#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Read, in one round trip, all that the roles need to know about a host
description:
  - Reads the operating system, memory and disk, the SSH connection in use, the gateway's user, releases, sandbox images, packages, units
    and who has the gateway's port.
  - Every role decides from this what is left to do, so that a settled host is asked once and touched never.
author: the Lobsterpot contributors
options:
  user:
    description: The gateway's user.
    type: str
    required: true
  home:
    description: Home of that user, which need not exist.
    type: path
    required: true
  releases_dir:
    description: Directory of the installed releases; the link C(current) lies beside it.
    type: path
    required: true
  image:
    description: Name, without a tag, of the sandbox images; the tag is an image's id.
    type: str
    required: true
  port:
    description: Port the gateway will listen on.
    type: int
    required: true
  unit:
    description: Unit of the gateway.
    type: str
    required: true
  packages:
    description: Packages to look up.
    type: list
    elements: str
    default: []
  deployed:
    description: Files that the gateway's process was started from.
    type: list
    elements: path
    default: []
  units:
    description: Units to look up.
    type: list
    elements: str
    default: []
  audit:
    description:
      - The gateway's command. Its security audit is the slowest question of a run, so it begins here, in the background, at the lowest
        priority; M(gateway_posture) reads the report at the end of the run.
      - Empty means that no audit begins. None begins in check mode, without a release, or while another one runs.
    type: str
    default: ""
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Preflight | Read the host
  host_info:
    user: openclaw
    home: /home/openclaw
    releases_dir: /opt/openclaw/releases
    image: localhost/openclaw-sandbox
    port: 18789
    unit: openclaw-gateway.service
  register: __host
"""

RETURN = r"""
check_mode:
  description: Whether the tasks of this play change nothing, because of C(--check) or of the play's own C(check_mode).
  returned: always
  type: bool
os:
  description: Id, version and the name a person knows, from /etc/os-release.
  returned: always
  type: dict
arch:
  description: x64, arm64, or what the kernel calls it.
  returned: always
  type: str
memory_mb:
  description: Memory in MiB.
  returned: always
  type: int
disk_free_mb:
  description: Free disk in MiB where the releases, the homes and the system's state lie; the smallest of them.
  returned: always
  type: int
container:
  description: Whether the host itself is a container.
  returned: always
  type: bool
ca_certificates:
  description: Names of the certificate authorities that an earlier run added.
  returned: always
  type: list
apt_proxy:
  description: Whether an earlier run set a proxy for the package manager.
  returned: always
  type: bool
ufw:
  description: Whether UFW filters IPv6 too (C(ipv6)), what keeps it from denying what no rule allows (C(problems)), and the TCP ports that
    it opens to everybody on both families (C(open_tcp)).
  returned: always
  type: dict
clock:
  description: Service that keeps the clock, empty without one.
  returned: always
  type: str
ssh:
  description: Port and user of the connection in use (port 0 without one), ports sshd is set to, whether it takes passwords, and the lines
    that loosen the project's drop-in, those on passwords (C(loosened_passwords)) apart from all others (C(loosened)).
  returned: always
  type: dict
user:
  description: The gateway's user; empty while there is none.
  returned: always
  type: dict
schedulers:
  description: What cron and at would do for the gateway's user - files that do not deny it, files that allow it, jobs that it left.
  returned: always
  type: dict
releases:
  description: Ids of the installed releases.
  returned: always
  type: list
open_parents:
  description: Directories on the way to the home that somebody but root can change.
  returned: always
  type: list
current:
  description: Id of the release in use, empty without one.
  returned: always
  type: str
images:
  description: Ids of the sandbox images that are loaded for the gateway's user.
  returned: always
  type: list
audit_began:
  description: When the audit began, in seconds since the epoch; 0 when none did.
  returned: always
  type: float
stale:
  description: Whether a file that the gateway's process was started from is newer than the process.
  returned: always
  type: bool
rootful_containers:
  description: Whether root has containers of its own in podman's store.
  returned: always
  type: bool
packages:
  description: Installed ones of the packages asked for, with their versions.
  returned: always
  type: dict
units:
  description: State of the units asked for.
  returned: always
  type: dict
resolvers:
  description: Addresses of the resolvers in C(/etc/resolv.conf).
  returned: always
  type: list
port_taken_by:
  description: Process other than the gateway that listens on its port; empty when there is none.
  returned: always
  type: str
"""

import grp
import os
import platform
import pwd
import shutil
import stat
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import host, image_store, limits, sshd_config
from ansible.module_utils.lobsterpot.errors import LobsterpotError

ARGUMENT_SPEC = {
    "user": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "releases_dir": {"type": "path", "required": True},
    "image": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "unit": {"type": "str", "required": True},
    "packages": {"type": "list", "elements": "str", "default": []},
    "deployed": {"type": "list", "elements": "path", "default": []},
    "units": {"type": "list", "elements": "str", "default": []},
    "audit": {"type": "str", "default": ""},
}

SPOOL = Path("/var/spool/cron")
AT_DENY = Path("/etc/at.deny")
CA_DIR = "/usr/local/share/ca-certificates"

# The second asks for a password through PAM.
PASSWORD_KEYWORDS = ("passwordauthentication", "kbdinteractiveauthentication")

# Services that keep the clock, whichever the host came with.
CLOCKS = ("systemd-timesyncd.service", "chrony.service", "ntpsec.service", "ntp.service", "openntpd.service")


def text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def output(module: AnsibleModule, *command: str) -> str:
    """What a command prints; nothing when it is missing or fails."""
    path = module.get_bin_path(command[0], opt_dirs=["/usr/sbin", "/sbin"])
    if not path:
        return ""
    _code, out, _err = module.run_command([path, *command[1:]], environ_update={"LC_ALL": "C"})
    return out


def ssh_connection() -> host.Connection | None:
    """Find SSH_CONNECTION in this process or those above it: sudo removes it from the environment."""
    pid = os.getpid()
    while pid > 1:
        environment = text(f"/proc/{pid}/environ")
        for item in environment.split("\0"):
            if item.startswith("SSH_CONNECTION="):
                return host.parse_ssh_connection(item.partition("=")[2])
        stat = text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        pid = int(stat[1]) if len(stat) > 1 else 0
    return None


def ssh(module: AnsibleModule) -> dict[str, object]:
    connection = ssh_connection()
    settings = host.parse_sshd(output(module, "sshd", "-T"))
    on_passwords, others = sshd_config.problems(text)
    return {
        "port": connection.port if connection else 0,
        "user": os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name,
        "configured_ports": [int(port) for port in settings.get("port", [])],
        "password_authentication": any(settings.get(keyword, ["yes"]) == ["yes"] for keyword in PASSWORD_KEYWORDS),
        "modern": host.only_post_quantum(settings),
        "loosened": others,
        "loosened_passwords": on_passwords,
    }


def user(name: str) -> dict[str, object]:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return {}
    return {
        "uid": entry.pw_uid,
        "gid": entry.pw_gid,
        "home": entry.pw_dir,
        "shell": entry.pw_shell,
        "groups": sorted(group.gr_name for group in grp.getgrall() if name in group.gr_mem),
        "subordinate_uids": host.subordinate_ids(text("/etc/subuid"), name),
        "subordinate_gids": host.subordinate_ids(text("/etc/subgid"), name),
        "linger": Path(f"/var/lib/systemd/linger/{name}").exists(),
        "manager": Path(f"/run/user/{entry.pw_uid}/systemd/private").exists(),
    }


def open_parents(home: Path) -> list[str]:
    """Directories on the way to the user's home that somebody but root can change, as they are and as links lead to them."""
    found = []
    for parent in {*home.parents, *Path(os.path.realpath(home)).parents}:
        try:
            status = parent.lstat()
        except FileNotFoundError:
            continue
        if status.st_uid != 0 or (not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022):
            found.append(str(parent))
    return sorted(found)


def schedulers(name: str) -> dict[str, list[str]]:
    """What cron and at would still do for a user: files that do not deny it, files that allow it, jobs that it left."""
    try:
        number = pwd.getpwnam(name).pw_uid
    except KeyError:
        number = -1
    deny = ["/etc/cron.deny", *([str(AT_DENY)] if AT_DENY.exists() else [])]
    jobs = [SPOOL / "crontabs" / name, *(path for path in sorted(SPOOL.glob("atjobs/[!.]*")) if path.lstat().st_uid == number)]
    return {
        "deny": [path for path in deny if name not in text(path).split()],
        "allow": [path for path in ("/etc/cron.allow", "/etc/at.allow") if name in text(path).split()],
        "jobs": [str(path) for path in jobs if os.path.lexists(path)],
    }


def images(name: str, image: str) -> list[str]:
    """Tags of the sandbox images in root's store whose files are made for this user."""
    ids = image_store.subordinate(text("/etc/subuid"), name)
    return image_store.tags(image_store.STORE, image, ids[0].start) if ids else []


def names(directory: str) -> list[str]:
    folder = Path(directory)
    return sorted(e.name for e in folder.iterdir() if not e.name.startswith(".")) if folder.is_dir() else []


def disk_free_mb(paths: list[str]) -> int:
    existing = (next(p for p in (Path(path), *Path(path).parents) if p.exists()) for path in paths)
    return min(shutil.disk_usage(path).free for path in existing) // 2**20


def stale(module: AnsibleModule) -> bool:
    """Whether a file the gateway starts from is newer than its process: an earlier run ended between writing and restarting."""
    properties = ["--property=ExecMainStartTimestamp", "--timestamp=unix", "--value"]
    started = output(module, "systemctl", "show", *properties, module.params["unit"]).strip().removeprefix("@")
    written = [Path(path).lstat().st_mtime for path in module.params["deployed"] if os.path.lexists(path)]
    return started.isdigit() and any(moment >= int(started) + 1 for moment in written)


def begin_audit(module: AnsibleModule) -> float:
    """Begin the gateway's audit of itself in a unit of its own; return when, or 0."""
    command = module.params["audit"]
    if not command or module.check_mode or not os.access(command, os.X_OK):
        return 0
    began = time.time()
    unit = ["systemd-run", "--quiet", "--collect", f"--unit={host.AUDIT_UNIT}", "--property=UMask=0077"]
    unit += [f"--property=RuntimeMaxSec={limits.AUDIT:.0f}", "--property=CPUWeight=idle"]
    # The gateway's user gets a pipe, not root's file: through that it could fill the memory below /run.
    report, made = host.AUDIT_REPORT, f"{host.AUDIT_REPORT}.new"
    ask = f'"$1" security audit --json </dev/null | head --bytes={host.AUDIT_BYTES} >{made}'
    script = f"mkdir -p {Path(report).parent}; rm -f {report}; {ask} && mv {made} {report}"
    code, _out, _err = module.run_command([*unit, "bash", "-o", "pipefail", "-c", script, "bash", command])
    return 0 if code else began


def read(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    began = begin_audit(module)
    release = host.parse_os_release(text("/etc/os-release"))
    machine = platform.machine()
    listeners = host.parse_listeners(output(module, "ss", "-HltunpO"))
    units = {item.pid: host.unit_of(text(f"/proc/{item.pid}/cgroup")) for item in listeners}
    current = Path(params["releases_dir"]).with_name("current")
    status = output(module, "ufw", "status", "verbose")
    filters = {"ufw": output(module, "iptables", "-S", "INPUT"), "ufw6": output(module, "ip6tables", "-S", "INPUT")}
    found: dict[str, object] = {
        "check_mode": module.check_mode,
        "os": {
            "id": release.get("ID", ""),
            "version": release.get("VERSION_ID", ""),
            "name": release.get("PRETTY_NAME", platform.system()),
        },
        "arch": host.MACHINES.get(machine, machine),
        "memory_mb": host.parse_meminfo_mb(text("/proc/meminfo")),
        "disk_free_mb": disk_free_mb([params["releases_dir"], "/home", "/var"]),
        "container": Path("/run/systemd/container").exists(),
        "systemd": Path("/run/systemd/system").is_dir(),
        "ca_certificates": [path.stem.removeprefix("lobsterpot-") for path in sorted(Path(CA_DIR).glob("lobsterpot-*.crt"))],
        "apt_proxy": Path("/etc/apt/apt.conf.d/50lobsterpot-proxy").exists(),
        "ufw": {
            "ipv6": host.ufw_filters_ipv6(text("/etc/default/ufw")),
            "problems": host.ufw_problems(status, text("/etc/ufw/ufw.conf"), filters),
            **host.parse_ufw(status),
        },
        "clock": next((unit for unit in CLOCKS if Path(f"/lib/systemd/system/{unit}").exists()), ""),
        "ssh": ssh(module),
        "user": user(params["user"]),
        "open_parents": open_parents(Path(params["home"])),
        "schedulers": schedulers(params["user"]),
        "releases": names(params["releases_dir"]),
        "current": current.readlink().name if current.is_symlink() else "",
        "images": images(params["user"], params["image"]),
        "port_taken_by": host.foreign_listener(listeners, params["port"], units, params["unit"]),
        "resolvers": host.parse_resolvers(text("/etc/resolv.conf")),
        "stale": stale(module),
        "audit_began": began,
        "rootful_containers": len(text("/var/lib/containers/storage/overlay-containers/containers.json")) > len("[]\n"),
        "packages": {},
        "units": {},
    }
    if params["packages"]:
        listing = output(module, "dpkg-query", "-W", "-f", r"${db:Status-Abbrev}\t${Package}\t${Version}\n")
        installed = host.parse_packages(listing)
        found["packages"] = {name: installed[name] for name in params["packages"] if name in installed}
    if params["units"]:
        properties = "--property=Id,ActiveState,UnitFileState,LoadState"
        found["units"] = host.parse_units(output(module, "systemctl", "show", properties, *params["units"]))
    return found


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **read(module))
    except LobsterpotError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
