# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the posture back. What tools print comes from the test; files, the audit and the readiness probe are real."""

from __future__ import annotations

import http.server
import importlib
import json
import os
import pwd
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.lobsterpot import limits
from ansible.module_utils.lobsterpot.errors import LobsterpotError

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read what belongs to root")

gateway_posture = importlib.import_module("gateway_posture")
QUESTION = gateway_posture.Question
READ_ONLY = gateway_posture.read_only
OUTPUT = gateway_posture.output  # as it is; the other tests put answers of their own in its place

RELEASE = "2026.9.6-x64-0123456789ab"

# Podman, asked where the sandbox image's files lie.
LAYER = (
    "/usr/local/lib/lobsterpot/run-as-daemon podman image inspect --format {{.GraphDriver.Data.UpperDir}} "
    "localhost/openclaw-sandbox:0123456789ab"
)

# What the tools print on a host that is in order, by the command's first words.
PRINTED = {
    "systemctl show": "Id=gateway.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n",
    "ss -HltunpO": 'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n',
    "ufw show": "Added user rules (see 'ufw status' for running firewall):\nufw allow 22/tcp comment 'SSH (Lobsterpot)'\n",
    "ufw status": "Status: active\nDefault: deny (incoming), allow (outgoing), disabled (routed)\n",
    "iptables -S": "-P INPUT DROP\n-A INPUT -j ufw-before-input\n",
    "ip6tables -S": "-P INPUT DROP\n-A INPUT -j ufw6-before-input\n",
    "nft list": "\t\ttype filter hook input priority -10; policy accept;\n\t\ttype filter hook forward priority -10; policy accept;\n",
    "nft --stateless": "table inet lobsterpot_egress {\n\t\tmeta skuid @users goto guarded\n}\n",
    "fail2ban-client status": "Status\n|- Number of jail:\t1\n`- Jail list:\tsshd\n",
    "fail2ban-client get sshd journalmatch": "Current match filter:\n_UID=0 _EXE=/usr/sbin/sshd\n",
    "fail2ban-client get sshd usedns": "no\n",
    "/usr/sbin/sshd -T": "permitemptypasswords no\ndenyusers daemon\n",
    "sudo -n": "User daemon is not allowed to run sudo on host.\n",
    "/usr/local/lib/lobsterpot/run-as-daemon podman": "",  # of images in the user's own store it shows none
    "/usr/local/lib/lobsterpot/run-as-daemon --confined": "end\n",
    LAYER: "/var/lib/lobsterpot/images/overlay/0123456789ab/diff\n",
}
NOT_ROOTS = "sandboxes may be made of an image that is not root's: systemctl restart gateway.service removes it"
TOPICS = ["service", "runtime", "listeners", "firewall", "outbound", "bans", "ssh", "account"]
TOPICS += ["release", "files", "state", "sandbox", "audit"]


class Probe(http.server.BaseHTTPRequestHandler):
    """Answers /readyz as the gateway does."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Probe) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(autouse=True)
def printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """What the tools print; a test may change it."""
    answers = dict(PRINTED)
    monkeypatch.setattr(gateway_posture, "output", lambda *command, **_: answers.get(" ".join(command)) or answers[" ".join(command[:2])])
    (tmp_path / "egress.loaded").write_text(PRINTED["nft --stateless"])
    monkeypatch.setattr(gateway_posture, "EGRESS_LOADED", tmp_path / "egress.loaded")
    (tmp_path / "ufw.conf").write_text("ENABLED=yes\n")
    monkeypatch.setattr(gateway_posture, "UFW_SETTINGS", tmp_path / "ufw.conf")
    monkeypatch.setattr(gateway_posture, "read_only", lambda _path: True)
    monkeypatch.setattr(gateway_posture.sshd_config, "problems", lambda: ([], []))
    monkeypatch.setattr(gateway_posture, "LOCKED", (tmp_path / "wtmp", tmp_path / "ufw.lock"))
    # The account is one that every Linux has; its shell and password are not the test's business.
    entry = pwd.struct_passwd(("daemon", "x", 1, 1, "", "/", "/usr/sbin/nologin"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: entry)
    return answers


@pytest.fixture
def arguments(tmp_path: Path, port: int) -> dict[str, Any]:
    """A host that is in order."""
    release = tmp_path / "root" / "releases" / RELEASE
    release.mkdir(parents=True, mode=0o755)
    (release / "release.json").write_text('{"version": "2026.9.6", "arch": "x64"}')
    (release / "release.json").chmod(0o644)
    (tmp_path / "root" / "current").symlink_to(f"releases/{RELEASE}")
    etc = tmp_path / "etc"
    etc.mkdir()
    for name, mode, group in (("openclaw.json", 0o640, 1), ("secrets.json", 0o600, 0), (".", 0o750, 1)):
        path = etc / name
        path.is_dir() or path.write_text("{}")
        os.chown(path, 0, group)
        path.chmod(mode)
    audit(tmp_path, '{"findings": []}')
    return {
        "user": "daemon",
        "unit": "gateway.service",
        "port": port,
        "root": str(tmp_path / "root"),
        "release": RELEASE,
        "etc": str(etc),
        "config": str(etc / "openclaw.json"),
        "command": str(tmp_path / "openclaw"),
        "image": "localhost/openclaw-sandbox:0123456789ab",
        "ssh_ports": [22],
    }


def test_an_sshd_that_is_loosened(
    run_module: RunModule, arguments: dict[str, Any], printed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S11: lines of other files that loosen sshd; those on passwords where these must be off."""
    printed["/usr/sbin/sshd -T"] += "passwordauthentication no\nkbdinteractiveauthentication no\n"
    monkeypatch.setattr(gateway_posture.sshd_config, "problems", lambda: (["a password"], ["a tunnel"]))
    for off, found in ((False, ["a tunnel"]), (True, ["a tunnel", "a password"])):
        checks = run_module("gateway_posture", arguments | {"passwords_off": off})["checks"]
        assert checks["ssh"] == [f"sshd's configuration is loosened by {words}" for words in found]


def test_a_file_that_everybody_can_lock(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    """S11: a lock on it keeps the operator waiting. One that is not there is nobody's."""
    (tmp_path / "wtmp").touch()
    for mode, found in (
        (0o660, []),
        (
            0o664,
            [
                f"{tmp_path}/wtmp can be locked by everybody, and root's programs wait for it: "
                "systemd-tmpfiles --create /etc/tmpfiles.d/00-lobsterpot-locks.conf"
            ],
        ),
    ):
        (tmp_path / "wtmp").chmod(mode)
        assert run_module("gateway_posture", arguments)["checks"]["files"] == found


def audit(folder: Path, report: str) -> None:
    """Put a double in the gateway's place, that prints `report` when it is asked for its audit."""
    script = f"#!/bin/sh\ntest \"$*\" = 'security audit --json' || exit 1\ncat <<'END'\n{report}\nEND\n"
    (folder / "openclaw").write_text(script)
    (folder / "openclaw").chmod(0o755)


def test_a_host_in_order(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """Each topic is looked at and has no problem; check mode reads the same."""
    for check in (False, True):
        result = run_module("gateway_posture", arguments, check=check)
        assert result["problems"] == []
        assert result["checks"] == {topic: [] for topic in TOPICS}
        assert (result["changed"], result["warnings_of_audit"]) == (False, [])


@pytest.mark.parametrize(
    ("command", "text", "topic", "problems"),
    [
        (
            "systemctl show",
            "Id=gateway.service\nLoadState=loaded\nActiveState=failed\nUnitFileState=disabled\n",
            "service",
            ["gateway.service is failed, not active", "gateway.service does not start at boot"],
        ),
        (
            "systemctl show",
            "",
            "service",
            ["gateway.service is unknown, not active", "gateway.service does not start at boot"],
        ),
        (
            "ss -HltunpO",
            'tcp LISTEN 0 511 *:18789 *:* users:(("node",pid=9,fd=3))\n',
            "listeners",
            ["node listens on * tcp/18789, outside loopback"],
        ),
        (
            "ufw status",
            "Status: inactive\n",
            "firewall",
            ["UFW is not active", "UFW does not deny incoming traffic by default"],
        ),
        (
            "ufw status",
            "Status: active\nDefault: allow (incoming), allow (outgoing)\n",
            "firewall",
            ["UFW does not deny incoming traffic by default"],
        ),
        ("nft list", "", "firewall", ["the table that shuts forwarding and multicast is not loaded: systemctl restart lobsterpot-forward"]),
        ("nft --stateless", "", "outbound", ["the table of what daemon may send is not loaded: systemctl reload lobsterpot-egress"]),
        (
            "nft --stateless",
            "table inet lobsterpot_egress {\n\t\tmeta skuid @users goto open\n}\n",
            "outbound",
            ["the table of what daemon may send was changed since it was loaded: systemctl reload lobsterpot-egress"],
        ),
        ("ss -HltunpO", "", "listeners", ["ss shows no socket at all, not even SSH's"]),
        ("fail2ban-client status", "", "bans", ["fail2ban does not watch sshd"]),
        ("fail2ban-client get sshd usedns", "warn\n", "bans", ["fail2ban looks up names that stand in lines"]),
        (
            "/usr/sbin/sshd -T",
            "",
            "ssh",
            ["sshd would let daemon in: its drop-in is not in effect", "sshd takes empty passwords"],
        ),
        ("sudo -n", "User daemon may run the following commands on host:\n", "account", ["daemon may use sudo"]),
        (
            "/usr/local/lib/lobsterpot/run-as-daemon --confined",
            "/home/daemon/.openclaw/.env\nend\n",
            "state",
            [
                "/home/daemon/.openclaw/.env is not the project's, and a start of the gateway or of a shell would run it. "
                "Find out who put it there, remove it, and restart the gateway."
            ],
        ),
        (
            "/usr/local/lib/lobsterpot/run-as-daemon --confined",
            "/home/daemon/.openclaw/.env\n",
            "state",
            ["it could not be seen whether something is planted in the gateway's state: look at that directory and its database"],
        ),
        (LAYER, "", "sandbox", ["the sandbox image localhost/openclaw-sandbox:0123456789ab is not in /var/lib/lobsterpot/images"]),
        (LAYER, "/home/daemon/.local/share/containers/storage/overlay/0123456789ab/diff\n", "sandbox", [NOT_ROOTS]),
        ("/usr/local/lib/lobsterpot/run-as-daemon podman", "0123456789ab\n", "sandbox", [NOT_ROOTS]),
    ],
)
def test_a_tool_that_says_otherwise(
    run_module: RunModule,
    arguments: dict[str, Any],
    printed: dict[str, str],
    *,
    command: str,
    text: str,
    topic: str,
    problems: list[str],
) -> None:
    """A control that is off, or cannot be asked, is a problem of its topic and of no other."""
    printed[command] = text
    result = run_module("gateway_posture", arguments)
    assert result["checks"][topic] == problems
    assert result["problems"] == problems


def test_images_that_can_be_written_to(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """S5: whoever became the user could alter the image of all later sandboxes."""
    monkeypatch.setattr(gateway_posture, "read_only", lambda _path: False)
    mend = "systemctl restart var-lib-lobsterpot-images.mount"
    assert run_module("gateway_posture", arguments)["checks"]["sandbox"] == [
        f"/var/lib/lobsterpot/images can be written to, so its user can alter the sandbox image: {mend}"
    ]


@pytest.mark.parametrize("path", ["/proc", "/nonexistent"])
def test_what_is_not_mounted_read_only(path: str) -> None:
    """A place that is not there is not taken for one that is safe."""
    assert READ_ONLY(Path(path)) is False


def test_outbound_traffic_in_another_mode(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """What is loaded is whole, and is not what the inventory asks for."""
    result = run_module("gateway_posture", {**arguments, "egress_mode": "allowlist"})
    assert result["problems"] == ["the table of what daemon may send is not in mode allowlist"]


def test_the_proxys_own_questions(
    run_module: RunModule, arguments: dict[str, Any], printed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sockets for DNS count as none in the mode that has a proxy; what another user runs under its name does count."""
    printed["nft --stateless"] = printed["nft --stateless"].replace("guarded", "allowlist")
    gateway_posture.EGRESS_LOADED.write_text(printed["nft --stateless"])
    printed["ss -HltunpO"] += 'udp UNCONN 0 0 *:41561 *:* users:(("squid",pid=71,fd=5))\n'
    problem = ["squid listens on * udp/41561, outside loopback"]
    for owner, mode, problems in (
        ("lobsterpot-proxy", "allowlist", []),
        ("openclaw", "allowlist", problem),
        ("lobsterpot-proxy", "guarded", problem),
    ):
        monkeypatch.setattr(gateway_posture, "owner", lambda _pid, name=owner: name)
        assert run_module("gateway_posture", {**arguments, "egress_mode": mode})["checks"]["listeners"] == problems


def test_who_runs_a_process() -> None:
    """From /proc; a process that is gone belongs to nobody."""
    assert gateway_posture.owner(os.getpid()) == "root"
    assert gateway_posture.owner(0) == ""


def test_a_gateway_that_does_not_answer(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """A process that runs and cannot serve is not in order."""
    found = run_module("gateway_posture", {**arguments, "port": 1})["checks"]["service"]
    assert len(found) == 1
    assert found[0].startswith("the gateway is not ready: ")


@pytest.mark.parametrize("damage", ["other", "none", "manifest", "mismatch", "owner", "writable"])
def test_a_release_that_is_not_as_installed(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, damage: str) -> None:
    """Code that is another, or that others than root can change, is not run unnoticed."""
    current = tmp_path / "root" / "current"
    manifest = current / "release.json"
    installed = tmp_path / "root" / "releases" / RELEASE
    match damage:
        case "other":
            arguments["release"] = "2026.9.7-x64-000000000000"
            expected = f"release {RELEASE} is in use, not 2026.9.7-x64-000000000000"
        case "none":
            current.unlink()
            expected = f"{current} names no release"
        case "manifest":
            manifest.unlink()
            expected = f"release {RELEASE} has no readable release.json"
        case "mismatch":
            manifest.write_text('{"version": "2026.9.6", "arch": "arm64"}')
            expected = f"release {RELEASE} holds 2026.9.6 for arm64"
        case "owner":
            os.chown(manifest, 1, 1)
            expected = f"{installed}/release.json can be changed by others than root"
        case "writable":
            installed.chmod(0o775)
            expected = f"{installed} can be changed by others than root"
    assert run_module("gateway_posture", arguments)["problems"] == [expected]


@pytest.mark.parametrize(
    ("name", "mode", "problem"),
    [
        ("secrets.json", 0o644, "with mode 0644, it must be 0:0 and 0600"),
        ("openclaw.json", 0o660, "with mode 0660, it must be 0:1 and 0640"),
        ("", 0o755, "with mode 0755, it must be 0:1 and 0750"),
    ],
)
def test_a_file_that_is_open_to_others(run_module: RunModule, arguments: dict[str, Any], name: str, mode: int, problem: str) -> None:
    """Secrets that the gateway's user can read, or a configuration that he can write, are found."""
    path = Path(arguments["etc"]) / name
    path.chmod(mode)
    found = run_module("gateway_posture", arguments)["problems"]
    assert len(found) == 1
    assert found[0].startswith(f"{path} belongs to 0:")
    assert found[0].endswith(problem)


def test_a_link_in_place_of_the_secrets_is_found(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    """The link itself is judged, not what it leads to."""
    path = Path(arguments["etc"]) / "secrets.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    found = run_module("gateway_posture", arguments)["problems"]
    assert found == [f"{path} belongs to 0:0 with mode 0777, it must be 0:0 and 0600"]


def test_missing_secrets_are_found(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """The message names the file."""
    path = Path(arguments["etc"]) / "secrets.json"
    path.unlink()
    assert run_module("gateway_posture", arguments)["problems"] == [f"[Errno 2] No such file or directory: '{path}'"]


def test_the_gateways_own_audit(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    """A critical finding is a problem, a warning is shown and is none."""
    findings = (
        '{"checkId": "a.b", "severity": "critical", "title": "Open to all"},'
        '{"checkId": "c.d", "severity": "warn", "title": "Might be better"},'
        '{"checkId": "e.f", "severity": "info", "title": "By the way"}'
    )
    audit(tmp_path, f'{{"findings": [{findings}]}}')
    result = run_module("gateway_posture", arguments)
    assert result["problems"] == ["security audit, critical: a.b: Open to all"]
    assert result["warnings_of_audit"] == ["c.d: Might be better"]


@pytest.mark.parametrize("report", ["", "Segmentation fault", '{"findings": '])
def test_an_audit_without_a_report(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, report: str) -> None:
    """Silence is not a clean result."""
    audit(tmp_path, report)
    expected = "the gateway's own security audit gave no report"
    assert run_module("gateway_posture", arguments)["problems"] == [expected]


def test_an_audit_that_hangs(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that was taken over cannot hold the check up."""
    monkeypatch.setattr(limits, "AUDIT", 0.1)
    (tmp_path / "openclaw").write_text("#!/bin/sh\nexec sleep 20\n")
    expected = "Waited 0 s in vain until the gateway's own audit had ended."
    assert run_module("gateway_posture", arguments)["problems"] == [expected]


def test_an_audit_of_any_length(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    """What is read of it is bounded: a report that goes on for ever fills no memory."""
    (tmp_path / "openclaw").write_text("#!/bin/sh\nhead --bytes=3000000 /dev/zero\necho '{\"findings\": []}'\n")
    expected = "the gateway's own security audit gave no report"
    assert run_module("gateway_posture", arguments)["problems"] == [expected]


@pytest.mark.parametrize("case", [(86400.0, "early"), (-86400.0, "anew"), (0.0, "anew")])
def test_an_audit_that_began_earlier(
    run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[float, str]
) -> None:
    """The report of an audit that began in this run counts, unless something that it judges was changed after that."""
    began, told = case
    early = tmp_path / "audit.json"
    early.write_text('{"findings": [{"checkId": "x", "severity": "warn", "title": "early"}]}')
    monkeypatch.setattr(gateway_posture.host, "AUDIT_REPORT", str(early))
    audit(tmp_path, '{"findings": [{"checkId": "x", "severity": "warn", "title": "anew"}]}')
    moment = began and Path(arguments["config"]).stat().st_ctime + began
    result = run_module("gateway_posture", {**arguments, "audit_began": moment})
    assert result["warnings_of_audit"] == [f"x: {told}"]


def test_a_missing_command_is_a_problem(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """A host without a gateway is described, not refused."""
    problems = run_module("gateway_posture", {**arguments, "command": "/no/such/command", "policy": {"gateway": {}}})["problems"]
    assert problems == ["the gateway's own security audit gave no report", "the gateway's own policy check gave no report"]


def test_the_gateways_own_policy_check(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked as the gateway's user, about the deployed configuration with the policy beside it; its findings are problems."""
    etc = Path(arguments["etc"])
    (etc / "openclaw.json").write_text('{"gateway": {"bind": "lan"}, "plugins": {"allow": ["telegram"]}}')
    (etc / "environment").write_text("OPENCLAW_CONFIG_PATH=/etc/openclaw/openclaw.json\nX=1\n")
    started: list[tuple[str, ...]] = []
    seen: dict[str, Any] = {}
    words = '{"findings": [{"checkId": "policy/gateway-non-loopback-bind", "message": "lan\\u001b permits"}]}'

    def start(*command: str) -> Any:
        started.append(command)
        folder = Path(command[-6].rpartition("=")[2]).parent if "policy" in command else etc
        seen.update(
            {path.name: (json.loads(path.read_text()), path.stat().st_mode & 0o777, path.group()) for path in folder.glob("*.json*")}
        )
        return QUESTION("echo", words if "policy" in command else '{"findings": []}')

    monkeypatch.setattr(gateway_posture, "Question", start)
    result = run_module("gateway_posture", {**arguments, "policy": {"gateway": {"auth": {"requireAuth": True}}}})
    assert result["problems"] == ["policy: gateway-non-loopback-bind: lan  permits"]
    folder = started[1][5].removeprefix("OPENCLAW_CONFIG_PATH=").removesuffix("/openclaw.json")
    current = f"{arguments['root']}/current"
    assert started[1] == (
        *("/usr/local/lib/lobsterpot/run-as-daemon", "--confined"),
        *("env", "OPENCLAW_CONFIG_PATH=/etc/openclaw/openclaw.json", "X=1", f"OPENCLAW_CONFIG_PATH={folder}/openclaw.json"),
        *(f"{current}/bin/node", f"{current}/node_modules/openclaw/openclaw.mjs", "policy", "check", "--json"),
    )
    plugin = {"enabled": True, "config": {"enabled": True, "path": f"{folder}/policy.jsonc"}}
    deployed = {"gateway": {"bind": "lan"}, "plugins": {"allow": ["telegram", "policy"], "entries": {"policy": plugin}}}
    assert seen["openclaw.json"] == (deployed, 0o640, "daemon")
    assert seen["policy.jsonc"] == ({"gateway": {"auth": {"requireAuth": True}}}, 0o640, "daemon")
    assert not Path(folder).exists()


def test_one_tool_that_hangs(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its topic says what was waited for; half an answer is not taken for a finding, and the other topics are read all the same."""

    def hangs(*command: str, **_options: Any) -> str:
        if command[0] == "ufw":
            return str(OUTPUT("sh", "-c", "echo Status; exec sleep 20", seconds=0.1))
        return next((said for words, said in PRINTED.items() if " ".join(command).startswith(words)), "")

    monkeypatch.setattr(gateway_posture, "output", hangs)
    checks = run_module("gateway_posture", arguments)["checks"]
    assert checks["firewall"] == ["Waited 0 s in vain until sh -c echo Status; exec sleep 20 had ended."]
    assert checks["bans"] == []


def test_a_gateway_that_takes_a_question_and_is_silent(
    run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and says nothing: the message tells for what, and how long, it was waited."""
    monkeypatch.setattr(limits, "GATEWAY_ANSWER", 0.1)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        found = run_module("gateway_posture", {**arguments, "port": port})["checks"]["service"]
    assert found == [f"the gateway is not ready: Waited 0 s in vain until it answered /readyz on port {port}."]


def test_a_tool_is_bounded_and_may_be_missing() -> None:
    """A tool that hangs, floods or does not exist gives an answer that fails the check, and no crash."""
    assert OUTPUT("echo", "words") == "words\n"
    assert OUTPUT("/no/such/tool") == ""
    with pytest.raises(LobsterpotError, match=r"^Waited 1 s in vain until sh -c echo early; exec sleep 20 had ended\.$"):
        QUESTION("sh", "-c", "echo early; exec sleep 20").answer(seconds=1)
    assert len(OUTPUT("head", "--bytes=3000000", "/dev/zero")) == 1_048_576
    assert OUTPUT("printenv", "LC_ALL") == "C\n"


def test_the_probe_takes_no_proxy(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a host with a proxy in its environment, loopback is still asked directly."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(urllib.request, "_opener", None)  # made by an earlier test, from the environment of then
    assert run_module("gateway_posture", arguments)["problems"] == []


def test_where_it_runs(run_module: RunModule, arguments: dict[str, Any], printed: dict[str, str]) -> None:
    """A gateway outside a container is one problem when the inventory wants it inside: not its mounts, one by one."""
    printed["ss -HltunpO"] += f'tcp LISTEN 0 511 127.0.0.1:{arguments["port"]} 0.0.0.0:* users:(("node",pid={os.getpid()},fd=3))\n'
    assert run_module("gateway_posture", arguments)["checks"]["runtime"] == []
    result = run_module("gateway_posture", arguments | {"mounts": {"/etc/openclaw": "ro"}})
    assert result["checks"]["runtime"] == ["the gateway runs outside a container, gateway_runtime says otherwise"]
