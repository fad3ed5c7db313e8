#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_posture
short_description: Read back whether a host is what it should be
description:
  - Changes nothing. Asks the running system (systemd, the gateway, sshd, UFW, fail2ban, the sockets, the files), not the configuration that
    was written.
  - Programs that the gateway's user could influence run as that user, with a time limit, and what they print is bounded.
author: the Lobsterpot contributors
options:
  user:
    description: The gateway's user.
    type: str
    required: true
  unit:
    description: The gateway's unit.
    type: str
    required: true
  port:
    description: The gateway's port on loopback.
    type: int
    required: true
  ready:
    description: What the gateway answers with 200 on that port once it is ready.
    type: str
    default: /readyz
  root:
    description: Directory with C(releases) and C(current).
    type: path
    required: true
  release:
    description: Id of the release that must be in use. Empty accepts any.
    type: str
    default: ""
  etc:
    description: Directory of configuration and secrets.
    type: path
    required: true
  config:
    description: The gateway's configuration.
    type: path
    required: true
  command:
    description: The gateway's command on the host.
    type: path
    required: true
  image:
    description: Sandbox image, with tag, that must be in the user's store. Empty accepts any.
    type: str
    default: ""
  policy:
    description:
      - What the gateway's own C(policy check) must find in the deployed configuration, in the words of its documentation (cli/policy).
      - Empty leaves that out; it takes as long as the audit.
    type: dict
    default: {}
  probe:
    description: Unit that starts and removes one sandbox under the gateway's confinement. Empty leaves that out.
    type: str
    default: ""
  mounts:
    description: What a gateway in a container must see of the host, as path to C(ro) or C(rw). Empty means that it must not run in one.
    type: dict
    default: {}
  passwords_off:
    description: Whether sshd must take no password.
    type: bool
    default: false
  forwarding:
    description: Whether this host may forward connections from outside.
    type: bool
    default: false
  egress_mode:
    description: What its user may reach, as in the variable of that name.
    type: str
    default: guarded
  ssh_ports:
    description: Ports on which SSH may listen to the world.
    type: list
    elements: int
    required: true
  opened:
    description: Rules of UFW that were asked for, each as C(community.general.ufw) takes them.
    type: list
    elements: dict
    default: []
  allowed_listeners:
    description: What else may, as C(tcp/443).
    type: list
    elements: str
    default: []
  audit_began:
    description:
      - When M(host_info) began the gateway's audit, in seconds since the epoch. Its report counts when nothing that the audit judges has
        changed since; otherwise the gateway is asked anew.
    type: float
    default: 0
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Verify | Read the result back
  gateway_posture:
    user: openclaw
    unit: openclaw-gateway.service
    port: 18789
    root: /opt/openclaw
    etc: /etc/openclaw
    config: /etc/openclaw/openclaw.json
    command: /usr/local/bin/openclaw
    ssh_ports: [22]
  register: __verify_posture
"""

RETURN = r"""
checks:
  description: Each topic with the problems found, an empty list when it is in order.
  returned: always
  type: dict
problems:
  description: All problems.
  returned: always
  type: list
  elements: str
warnings_of_audit:
  description: What the gateway's own audit warns of. A warning does not fail the run.
  returned: always
  type: list
  elements: str
"""

import functools
import grp
import json
import os
import pwd
import select
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import host, image_store, limits, posture, sshd_config
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.terminal import printable

ARGUMENT_SPEC = {
    "user": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "ready": {"type": "str", "default": "/readyz"},
    "root": {"type": "path", "required": True},
    "release": {"type": "str", "default": ""},
    "etc": {"type": "path", "required": True},
    "config": {"type": "path", "required": True},
    "command": {"type": "path", "required": True},
    "mounts": {"type": "dict", "default": {}},
    "image": {"type": "str", "default": ""},
    "policy": {"type": "dict", "default": {}},
    "probe": {"type": "str", "default": ""},
    "passwords_off": {"type": "bool", "default": False},
    "forwarding": {"type": "bool", "default": False},
    "egress_mode": {"type": "str", "default": "guarded"},
    "ssh_ports": {"type": "list", "elements": "int", "required": True},
    "opened": {"type": "list", "elements": "dict", "default": []},
    "allowed_listeners": {"type": "list", "elements": "str", "default": []},
    "audit_began": {"type": "float", "default": 0},
}

# What was loaded last, in nft's own words: roles/egress writes it.
EGRESS_LOADED = Path("/run/lobsterpot/egress.loaded")
PROXY_USER = "lobsterpot-proxy"
# What root's programs lock while somebody logs in, or the firewall or a package is changed. The role baseline closes it.
LOCKED = tuple(map(Path, ("/run/utmp", "/var/log/wtmp", "/var/log/wtmp.db", "/var/log/lastlog", "/run/ufw.lock", "/var/cache/debconf")))
# Names what the gateway's user holds ready for the gateway to run (role gateway).
CLEAN_STATE = "/usr/local/lib/lobsterpot/clean-state"
UFW_SETTINGS = Path("/etc/ufw/ufw.conf")
OUTPUT_LIMIT = host.AUDIT_BYTES

TOPICS = ("service", "runtime", "listeners", "firewall", "outbound", "bans", "ssh", "account", "release", "files", "state", "sandbox")

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class Question:
    """A command that was started. Its answer is bounded in time and size, whatever the program does."""

    def __init__(self, *command: str) -> None:
        quiet = subprocess.DEVNULL
        self.command = " ".join(command)
        self.process = subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, cwd="/", env=ENVIRONMENT)

    def answer(self, seconds: float, what: str = "") -> str:
        """What it printed up to its end or the size limit; then it is gone. Raises LobsterpotError at the time limit.

        seconds: the limit. what: a name for the command where its words are too many.
        """
        stream, deadline, said = self.process.stdout, time.monotonic() + seconds, b""
        assert stream is not None  # noqa: S101 - for the type checker: it was asked for above
        late = False
        while len(said) < OUTPUT_LIMIT and not late:
            late = not select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]
            piece = b"" if late else os.read(stream.fileno(), 65536)
            if not piece:
                break
            said += piece
        self.process.kill()
        self.process.wait()
        stream.close()
        if late:
            raise LobsterpotError(limits.waited(seconds, f"{what or self.command} had ended"))
        return said[:OUTPUT_LIMIT].decode(errors="replace")


def output(*command: str, seconds: float = 0.0) -> str:
    """What a command prints; nothing when it is missing. Raises LobsterpotError at the time limit, which is the usual one unless given."""
    try:
        return Question(*command).answer(seconds or limits.COMMAND)
    except OSError:
        return ""


def read_only(path: Path) -> bool:
    """Whether something is mounted there that nobody can write to."""
    return path.exists() and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def owner(pid: int) -> str:
    """The user that a process runs as; empty when it is gone or has no name."""
    try:
        return pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name
    except (OSError, KeyError):
        return ""


class Reader:
    """Reads one topic per method; each returns its problems."""

    def __init__(self, params: dict[str, object]) -> None:
        self.user = str(params["user"])
        self.run_as = f"/usr/local/lib/lobsterpot/run-as-{self.user}"
        self.unit = str(params["unit"])
        self.port = int(str(params["port"]))
        self.ready = str(params["ready"])
        self.root = Path(str(params["root"]))
        self.release_id = str(params["release"])
        self.etc = Path(str(params["etc"]))
        self.image = str(params["image"])
        self.command = Path(str(params["command"]))
        self.config = Path(str(params["config"]))
        self.policy_wanted = dict(params["policy"])  # type: ignore[call-overload] # dict by the argument spec
        self.probe = str(params["probe"])
        self.mounts: dict[str, str] = dict(params["mounts"])  # type: ignore[call-overload] # a dict by the argument spec
        self.passwords_off = bool(params["passwords_off"])
        self.forwarding = bool(params["forwarding"])
        self.egress_mode = str(params["egress_mode"])
        self.ssh_ports: list[int] = list(params["ssh_ports"])  # type: ignore[call-overload] # list of int by the argument spec
        self.opened: list[dict[str, object]] = list(params["opened"])  # type: ignore[call-overload] # list of dict likewise
        self.allowed: list[str] = list(params["allowed_listeners"])  # type: ignore[call-overload] # list of str likewise
        self.audit_warnings: list[str] = []

    def service(self) -> list[str]:
        state = host.parse_units(output("systemctl", "show", "--property=Id,ActiveState,UnitFileState,LoadState", self.unit))
        found = state.get(self.unit, {"active": "unknown", "enabled": "unknown"})
        problems = [] if found["active"] == "active" else [f"{self.unit} is {found['active']}, not active"]
        if found["enabled"] != "enabled":
            problems.append(f"{self.unit} does not start at boot")
        problems += posture.unit_problems(self.unit, output("systemctl", "show", "--property=DropInPaths,NeedDaemonReload", self.unit))
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # not through a proxy of the environment
            url = f"http://127.0.0.1:{self.port}{self.ready}"
            with opener.open(url, timeout=limits.GATEWAY_ANSWER) as answer:
                ready = answer.status == 200  # noqa: PLR2004
        except (OSError, urllib.error.URLError) as error:
            late = isinstance(getattr(error, "reason", error), TimeoutError)
            words = limits.waited(limits.GATEWAY_ANSWER, f"it answered {self.ready} on port {self.port}") if late else error
            problems.append(f"the gateway is not ready: {words}")
        else:
            problems += [] if ready else ["the gateway is not ready"]
        return problems

    @functools.cached_property
    def sockets(self) -> list[host.Listener]:
        """What listens on the host."""
        return host.parse_listeners(output("ss", "-HltunpO"))

    def listeners(self) -> list[str]:
        if not self.sockets:
            return ["ss shows no socket at all, not even SSH's"]
        # The proxy asks resolvers from sockets that look like listening ones. UFW lets nothing in there but answers.
        proxied = self.egress_mode == "allowlist"
        asking = [item for item in self.sockets if item.protocol == "udp" and proxied and owner(item.pid) == PROXY_USER]
        return posture.listener_problems([item for item in self.sockets if item not in asking], self.ssh_ports, self.allowed)

    def runtime(self) -> list[str]:
        pid = next((item.pid for item in self.sockets if (item.protocol, item.port) == ("tcp", self.port)), 0)
        if not pid:
            return []  # `service` says so
        process = Path(f"/proc/{pid}")
        try:
            contained = (process / "ns/user").readlink() != Path("/proc/self/ns/user").readlink()
            if contained and self.mounts:
                return posture.container_problems((process / "status").read_text(), (process / "mountinfo").read_text(), self.mounts)
        except OSError as error:
            return [f"the gateway's process cannot be looked at: {error}"]
        if contained or self.mounts:
            return [f"the gateway runs {'in' if contained else 'outside'} a container, gateway_runtime says otherwise"]
        return []

    def firewall(self) -> list[str]:
        filters = {"ufw": output("iptables", "-S", "INPUT"), "ufw6": output("ip6tables", "-S", "INPUT")}
        try:
            settings = UFW_SETTINGS.read_text()
        except OSError:
            settings = ""
        problems = host.ufw_problems(output("ufw", "status", "verbose"), settings, filters)
        problems += posture.rule_problems(output("ufw", "show", "added"), self.ssh_ports, self.opened)
        loaded = output("nft", "list", "table", "inet", "lobsterpot_forward")
        if any(f"hook {hook} " not in loaded for hook in (["input"] if self.forwarding else ["input", "forward"])):
            problems.append("the table that shuts forwarding and multicast is not loaded: systemctl restart lobsterpot-forward")
        return problems

    def outbound(self) -> list[str]:
        try:
            recorded = EGRESS_LOADED.read_text()
        except OSError:
            recorded = ""
        loaded = output("nft", "--stateless", "list", "table", "inet", "lobsterpot_egress")
        return posture.egress_problems(loaded, recorded, self.user, self.egress_mode)

    def bans(self) -> list[str]:
        if "sshd" not in output("fail2ban-client", "status"):
            return ["fail2ban does not watch sshd"]
        return posture.ban_problems(*(output("fail2ban-client", "get", "sshd", what) for what in ("journalmatch", "usedns")))

    def ssh(self) -> list[str]:
        problems = posture.ssh_problems(host.parse_sshd(output("/usr/sbin/sshd", "-T")), self.user, self.passwords_off)
        on_passwords, others = sshd_config.problems()
        loosened = others + (on_passwords if self.passwords_off else [])
        return problems + [f"sshd's configuration is loosened by {words}" for words in loosened]

    def account(self) -> list[str]:
        try:
            entry = pwd.getpwnam(self.user)
        except KeyError:
            return [f"there is no user {self.user}"]
        groups = sorted(group.gr_name for group in grp.getgrall() if self.user in group.gr_mem)
        shadow = next((line for line in Path("/etc/shadow").read_text().splitlines() if line.startswith(f"{self.user}:")), "::")
        sudo = output("sudo", "-n", "-l", "-U", self.user)
        crontab = Path("/var/spool/cron/crontabs") / self.user
        problems = [f"{self.user} left jobs for cron: {crontab}"] if os.path.lexists(crontab) else []
        return problems + posture.user_problems(self.user, groups, entry.pw_shell, shadow.split(":")[1], sudo)

    def release(self) -> list[str]:
        current = self.root / "current"
        if not current.is_symlink():
            return [f"{current} names no release"]
        name = current.readlink().name
        problems = []
        if self.release_id and name != self.release_id:
            problems.append(f"release {name} is in use, not {self.release_id}")
        try:
            manifest = json.loads((current / "release.json").read_text())
            if not name.startswith(f"{manifest['version']}-{manifest['arch']}-"):
                problems.append(f"release {name} holds {manifest['version']} for {manifest['arch']}")
        except (OSError, ValueError, KeyError, TypeError):
            problems.append(f"release {name} has no readable release.json")
        for folder, _, files in os.walk(self.root / "releases" / name):
            for path in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118 - 30,000 times
                status = os.lstat(path)
                if status.st_uid or (not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022):
                    return [*problems, f"{path} can be changed by others than root"]
        return problems

    def files(self) -> list[str]:
        try:
            gid = grp.getgrnam(self.user).gr_gid
        except KeyError:
            return [f"there is no group {self.user}"]
        wanted = {
            self.etc: (0, gid, 0o750),
            self.config: (0, gid, 0o640),
            self.etc / "secrets.json": (0, 0, 0o600),
        }
        problems = []
        for path, want in wanted.items():
            try:
                status = path.lstat()
            except OSError as error:
                problems.append(str(error))
                continue
            problems += posture.file_problems(str(path), status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), want)
        open_to_all = [path for path in LOCKED if path.exists() and path.stat().st_mode & 0o007]
        mend = "systemd-tmpfiles --create /etc/tmpfiles.d/00-lobsterpot-locks.conf"
        return problems + [f"{path} can be locked by everybody, and root's programs wait for it: {mend}" for path in open_to_all]

    def sandbox(self) -> list[str]:
        if self.image and (problems := self.image_problems()):
            return problems
        if self.probe:
            output("systemctl", "start", self.probe, seconds=limits.SANDBOX_PROBE)
            result = output("systemctl", "show", "--property=Result", "--value", self.probe).strip()
            if result != "success":
                limit = output("systemctl", "show", "--property=TimeoutStartUSec", "--value", self.probe).strip()
                within = f" within {limit}" if result == "timeout" else ""
                words = output("journalctl", "--unit", self.probe, "--lines", "4", "--output", "cat", "--no-pager")
                return [f"no sandbox can be started{within}: {' '.join(printable(words).split())}"]
        return []

    def state(self) -> list[str]:
        return posture.planted_problems(output(self.run_as, "--confined", CLEAN_STATE, "--check"))

    def image_problems(self) -> list[str]:
        """What keeps sandboxes from being made of the image that root loaded: its podman looks into the user's own store first."""
        podman = [self.run_as, "podman", "image"]
        layer = output(*podman, "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", self.image).strip()
        own = output(*podman, "ls", "--filter", "readonly=false", "--quiet").split()
        writable = not read_only(image_store.VISIBLE)
        return posture.image_problems(self.image, str(image_store.VISIBLE), self.unit, layer, own=bool(own), writable=writable)

    def ask_policy(self, folder: Path) -> Question | None:
        """Have the gateway hold its configuration against the policy; in `folder` both lie for its user to read."""
        try:
            config = posture.with_policy(self.config.read_text(), str(folder / "policy.jsonc"))
            environment = (self.etc / "environment").read_text().split()
            group = grp.getgrnam(self.user).gr_gid
            for name, content in (("openclaw.json", config), ("policy.jsonc", json.dumps(self.policy_wanted))):
                (folder / name).write_text(content)
                os.chown(folder / name, 0, group)
                (folder / name).chmod(0o640)
            os.chown(folder, 0, group)
            folder.chmod(0o750)
            current, product = self.root / "current", self.command.name
            gateway = [current / "bin" / "node", current / "node_modules" / product / f"{product}.mjs"]
            confined = [self.run_as, "--confined", "env", *environment, f"OPENCLAW_CONFIG_PATH={folder}/openclaw.json"]
            return Question(*confined, *map(str, gateway), "policy", "check", "--json")
        except (OSError, KeyError, ValueError):
            return None

    def policy(self, report: str) -> list[str]:
        found = posture.parse_policy(report)
        return ["the gateway's own policy check gave no report"] if found is None else [f"policy: {printable(words)}" for words in found]

    def audit(self, report: str) -> list[str]:
        found = posture.parse_audit(report)
        if found is None:
            return ["the gateway's own security audit gave no report"]
        self.audit_warnings = list(found.warnings)
        return [f"security audit, critical: {finding}" for finding in found.critical]


def ask(*command: str) -> Question | None:
    """Start a command; None when it is missing."""
    try:
        return Question(*command)
    except OSError:
        return None


def ask_audit(params: dict[str, object], reader: Reader) -> Question | None:
    """The audit that began earlier in this run, if what it judges is older than that; another one otherwise."""
    command, began = str(params["command"]), float(str(params["audit_began"]))
    judged = (reader.config, reader.etc / "environment", reader.etc / "secrets.json", reader.root / "current")
    if not began or any(path.lstat().st_ctime >= began for path in judged if os.path.lexists(path)):
        return ask(command, "security", "audit", "--json")
    # Now somebody waits for it. One that was ended before its end left no report: then another one is asked for.
    unit, report = host.AUDIT_UNIT, host.AUDIT_REPORT
    hurry = f"systemctl set-property --runtime {unit} CPUWeight=100; while systemctl --quiet is-active {unit}; do sleep 0.2; done"
    return ask("sh", "-c", f'{hurry}; cat {report} || exec "$0" security audit --json', command)


def in_time(read: Callable[[], list[str]]) -> list[str]:
    """The problems of a topic; a tool that did not end in time is one, and the other topics are read all the same."""
    try:
        return read()
    except LobsterpotError as error:
        return [str(error)]


def judge(reader: Reader, topic: str, question: Question | None) -> list[str]:
    """The problems that the gateway's own `security audit` or `policy check` finds."""
    report = question.answer(limits.AUDIT, f"the gateway's own {topic}") if question else ""
    problems: list[str] = getattr(reader, topic)(report)
    return problems


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    reader = Reader(module.params)
    with tempfile.TemporaryDirectory(dir="/run", prefix="lobsterpot-") as folder:
        # The slowest questions first; the others are asked while these work.
        slow = {"audit": ask_audit(module.params, reader)}
        if module.params["policy"]:
            slow["policy"] = reader.ask_policy(Path(folder))
        checks = {topic: in_time(getattr(reader, topic)) for topic in TOPICS}
        for topic, question in slow.items():
            checks[topic] = in_time(functools.partial(judge, reader, topic, question))
    problems = [problem for found in checks.values() for problem in found]
    module.exit_json(changed=False, checks=checks, problems=problems, warnings_of_audit=reader.audit_warnings)


if __name__ == "__main__":
    main()
