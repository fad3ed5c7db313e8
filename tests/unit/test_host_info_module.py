# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a host in one round trip. Files below /proc and /etc, and what tools print, come from the test."""

from __future__ import annotations

import importlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.basic import AnsibleModule

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

FILES = {
    "/etc/os-release": 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "/etc/resolv.conf": "search example\nnameserver 10.255.255.53\nnameserver fe80::1%eth0\n#nameserver 192.0.2.1\n",
    "/etc/ufw/ufw.conf": "ENABLED=yes\nLOGLEVEL=low\n",
    "/proc/meminfo": "MemTotal:        4028896 kB\n",
    "/proc/1501/cgroup": "0::/system.slice/openclaw-gateway.service\n",
    "/proc/1700/cgroup": "0::/system.slice/other.service\n",
}

PRINTED = {
    "ss": (
        'tcp LISTEN 0 511 127.0.0.1:18789 0.0.0.0:* users:(("node",pid=1501,fd=22))\n'
        'tcp LISTEN 0 128 127.0.0.1:8080 0.0.0.0:* users:(("java",pid=1700,fd=3))\n'
    ),
    "sshd": "port 22\nport 2022\npasswordauthentication no\nkbdinteractiveauthentication no\nkexalgorithms mlkem768x25519-sha256\n",
    "dpkg-query": "ii \topenssh-server\t1:10.0p1-7\nii \tufw\t0.36.2-9\nrc \tpodman\t5.4.2\n",
    "iptables": "-P INPUT DROP\n-A INPUT -j ufw-before-logging-input\n-A INPUT -j ufw-before-input\n",
    "ip6tables": "-P INPUT DROP\n-A INPUT -j ufw6-before-input\n",
    "ufw": """Status: active
Default: deny (incoming), allow (outgoing), deny (routed)

To                         Action      From
--                         ------      ----
2022/tcp                   ALLOW IN    Anywhere                   # SSH (Lobsterpot)
80/tcp                     ALLOW IN    Anywhere
22/tcp                     ALLOW IN    192.0.2.0/24
53/udp                     ALLOW IN    Anywhere
2022/tcp (v6)              ALLOW IN    Anywhere (v6)              # SSH (Lobsterpot)
22/tcp (v6)                ALLOW IN    2001:db8::/32
53/udp (v6)                ALLOW IN    Anywhere (v6)
""",
    "systemctl": "Id=ssh.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n",
}


@pytest.fixture
def host_info(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, on a host that the test made up."""
    module = importlib.import_module("host_info")
    monkeypatch.setattr(module, "text", lambda path: FILES.get(path, ""))
    monkeypatch.setattr(module, "output", lambda _module, *command: PRINTED[command[0]])
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    return module


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    return {
        "user": "no-such-user",
        "home": "/home/daemon",
        "releases_dir": str(tmp_path / "releases"),
        "image": "localhost/openclaw-sandbox",
        "port": 18789,
        "unit": "openclaw-gateway.service",
    }


@pytest.mark.usefixtures("host_info")
def test_a_fresh_host(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """A host on which nothing was installed yet is described, with nothing missing that a role asks for."""
    result = run_module("host_info", arguments)
    assert result["changed"] is False
    assert result["os"] == {"id": "debian", "version": "13", "name": "Debian GNU/Linux 13 (trixie)"}
    assert (result["arch"], result["memory_mb"]) == ("arm64", 3934)
    assert result["disk_free_mb"] > 0
    assert (result["user"], result["releases"], result["current"], result["images"]) == ({}, [], "", [])
    assert (result["packages"], result["units"], result["resolvers"]) == ({}, {}, ["10.255.255.53", "fe80::1"])


def test_images_that_are_loaded(
    run_module: RunModule, host_info: Any, arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root looks into its own store; an image that was made for another user's ids does not count."""
    (tmp_path / "overlay/layer/diff").mkdir(parents=True)
    (tmp_path / "overlay-images").mkdir()
    (tmp_path / "overlay-images/images.json").write_text('[{"id": "1", "layer": "layer", "names": ["localhost/openclaw-sandbox:a"]}]')
    monkeypatch.setattr(host_info.image_store, "STORE", tmp_path)
    assert run_module("host_info", arguments)["images"] == []
    monkeypatch.setitem(FILES, "/etc/subuid", "no-such-user:0:65536\n")
    assert run_module("host_info", arguments)["images"] == ["a"]


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", "x64"), ("aarch64", "arm64"), ("riscv64", "riscv64"), ("armv7l", "armv7l")])
@pytest.mark.usefixtures("host_info")
def test_architecture(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, machine: str, arch: str) -> None:
    """What cannot run a release keeps its own name, for the message that refuses it."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert run_module("host_info", arguments)["arch"] == arch


@pytest.mark.usefixtures("host_info")
def test_packages_and_units_that_were_asked_for(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """Only those named, and of the packages only the installed ones."""
    asked = {"packages": ["ufw", "podman", "nosuch"], "units": ["ssh.service"]}
    result = run_module("host_info", arguments | asked)
    assert result["packages"] == {"ufw": "0.36.2-9"}
    assert result["units"] == {"ssh.service": {"active": "active", "enabled": "enabled", "loaded": "loaded"}}


@pytest.mark.usefixtures("host_info")
def test_installed_releases(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    """Half-unpacked releases do not count; the one in use is the one that `current` names."""
    for name in ("2026.9.6-x64-b", "2026.9.5-x64-a", ".partial-2026.9.7-x64-c"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/2026.9.5-x64-a")
    result = run_module("host_info", arguments)
    assert result["releases"] == ["2026.9.5-x64-a", "2026.9.6-x64-b"]
    assert result["current"] == "2026.9.5-x64-a"


@pytest.mark.parametrize(("port", "process"), [(18789, ""), (8080, "java"), (4711, "")])
@pytest.mark.usefixtures("host_info")
def test_who_has_the_port(run_module: RunModule, arguments: dict[str, Any], port: int, process: str) -> None:
    """The gateway may have its port, a stranger may not."""
    assert run_module("host_info", arguments | {"port": port})["port_taken_by"] == process


def test_authorities_of_an_earlier_run(
    run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, host_info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those that were added by a run are counted, so that only those are ever removed."""
    for name in ("lobsterpot-b.crt", "lobsterpot-a.crt", "lobsterpot-c.pem", "of-the-operator.crt"):
        (tmp_path / name).touch()
    monkeypatch.setattr(host_info, "CA_DIR", str(tmp_path))
    assert run_module("host_info", arguments)["ca_certificates"] == ["a", "b"]


@pytest.mark.usefixtures("host_info")
def test_ports_that_ufw_opens(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """A port counts as open when everybody reaches it, by TCP, on both families."""
    assert run_module("host_info", arguments)["ufw"] == {"ipv6": True, "problems": [], "open_tcp": [2022]}


@pytest.mark.parametrize(
    "case",
    [
        (PRINTED, "ufw", "", "UFW is not active"),
        (PRINTED, "ufw", "Status: inactive\n", "UFW is not active"),
        (PRINTED, "ufw", "Status: active\nDefault: allow (incoming)\n", "UFW does not deny incoming traffic by default"),
        (PRINTED, "ufw", "Status: active\nDefault: reject (incoming)\n", "UFW does not deny incoming traffic by default"),
        (FILES, "/etc/ufw/ufw.conf", "ENABLED=no\n", "UFW does not start at boot: ufw enable"),
        (PRINTED, "iptables", "-P INPUT ACCEPT\n", "the kernel does not filter as UFW says (ufw): somebody emptied its tables"),
        (PRINTED, "iptables", "-P INPUT DROP\n", "the kernel does not filter as UFW says (ufw): somebody emptied its tables"),
        (
            PRINTED,
            "ip6tables",
            "-P INPUT ACCEPT\n-A INPUT -j ufw6-before-input\n",
            "the kernel does not filter as UFW says (ufw6): somebody emptied its tables",
        ),
    ],
)
@pytest.mark.usefixtures("host_info")
def test_a_firewall_that_lets_in(
    run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, case: tuple[dict[str, str], str, str, str]
) -> None:
    """S1: a UFW that is missing, off, of another policy, off after a reboot, or emptied behind its back leaves work to do."""
    where, name, content, problem = case
    monkeypatch.setitem(where, name, content)
    assert problem in run_module("host_info", arguments)["ufw"]["problems"]


@pytest.mark.parametrize(("content", "filtered"), [("IPV6=yes\n", True), ("IPV6=no\n", False)])
@pytest.mark.usefixtures("host_info")
def test_ufw_and_ipv6(
    run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, content: str, filtered: bool
) -> None:
    """A firewall that leaves IPv6 alone leaves the host open."""
    monkeypatch.setitem(FILES, "/etc/default/ufw", content)
    assert run_module("host_info", arguments)["ufw"]["ipv6"] is filtered


@pytest.mark.parametrize(("content", "filtered"), [('IPV6="no"\n', False), ("IPV6=NO\n", False), ("# IPV6=no\nIPV6=yes\n", True)])
@pytest.mark.usefixtures("host_info")
def test_ufw_and_ipv6_as_ufw_reads_it(
    run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, content: str, filtered: bool
) -> None:
    """UFW takes quotes and capitals, too, and skips comments."""
    monkeypatch.setitem(FILES, "/etc/default/ufw", content)
    assert run_module("host_info", arguments)["ufw"]["ipv6"] is filtered


@pytest.mark.usefixtures("host_info")
def test_sshd(run_module: RunModule, arguments: dict[str, Any]) -> None:
    """The effective settings decide what the firewall keeps open and what can be hardened."""
    ssh = run_module("host_info", arguments)["ssh"]
    assert ssh["configured_ports"] == [22, 2022]
    assert ssh["password_authentication"] is False
    assert ssh["modern"] is True
    assert (ssh["loosened"], ssh["loosened_passwords"]) == ([], [])


@pytest.mark.usefixtures("host_info")
def test_an_sshd_that_a_block_loosens(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """S11: what a Match block allows some, which `sshd -T` does not tell."""
    main = "Include /etc/ssh/sshd_config.d/*.conf\nMatch User ada\nPasswordAuthentication yes\nPermitTunnel yes\n"
    monkeypatch.setitem(FILES, "/etc/ssh/sshd_config", main)
    ssh = run_module("host_info", arguments)["ssh"]
    assert ssh["loosened_passwords"] == ["/etc/ssh/sshd_config:3: `PasswordAuthentication yes` in the block `Match User ada`"]
    assert ssh["loosened"] == ["/etc/ssh/sshd_config:4: `PermitTunnel yes` in the block `Match User ada`"]


@pytest.mark.usefixtures("host_info")
def test_an_sshd_that_cannot_be_asked(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer, the unsafe setting is assumed."""
    monkeypatch.setitem(PRINTED, "sshd", "")
    ssh = run_module("host_info", arguments)["ssh"]
    assert (ssh["configured_ports"], ssh["password_authentication"], ssh["modern"]) == ([], True, False)


def test_the_connection_is_found_above_sudo(host_info: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo removes SSH_CONNECTION; without it the port in use would be closed by the firewall."""
    monkeypatch.setattr(host_info.os, "getpid", lambda: 300)
    files = {
        "/proc/300/stat": "300 (python3) S 200 300 300 0 -1",
        "/proc/300/environ": "PATH=/bin\0SUDO_USER=admin\0",
        "/proc/200/stat": "200 (a name) with (parentheses) S 100 200 200 0 -1",
        "/proc/200/environ": "PATH=/bin\0",
        "/proc/100/stat": "100 (sshd-session) S 1 100 100 0 -1",
        "/proc/100/environ": "USER=admin\0SSH_CONNECTION=203.0.113.7 51234 10.0.2.15 2022\0",
    }
    monkeypatch.setattr(host_info, "text", lambda path: files.get(path, ""))
    connection = host_info.ssh_connection()
    assert (connection.client, connection.port) == ("203.0.113.7", 2022)


def test_no_connection_ends_the_search(host_info: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a console there is none; a process that ended meanwhile ends the search, too."""
    monkeypatch.setattr(host_info.os, "getpid", lambda: 300)
    monkeypatch.setattr(host_info, "text", lambda path: {"/proc/300/stat": "300 (x) S 200 1"}.get(path, ""))
    assert host_info.ssh_connection() is None


@pytest.mark.usefixtures("host_info")
def test_touches_nothing(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, snapshot: Snapshot) -> None:
    """Reading changes nothing, and says the same in check mode; which of the two it is, it says too."""
    before = snapshot(tmp_path)
    same = {"disk_free_mb": 0, "invocation": 0}
    real, check = run_module("host_info", arguments), run_module("host_info", arguments, check=True)
    assert (real.pop("check_mode"), check.pop("check_mode")) == (False, True)
    assert real | same == check | same
    assert snapshot(tmp_path) == before


def test_what_cron_and_at_would_do(host_info: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A list that is not there denies nobody; at's is only asked for where at has one. A crontab counts, also one that is a link."""
    monkeypatch.setattr(host_info, "SPOOL", tmp_path)
    monkeypatch.setattr(host_info, "AT_DENY", tmp_path / "at.deny")
    assert host_info.schedulers("no-such-user") == {"deny": ["/etc/cron.deny"], "allow": [], "jobs": []}
    for name in ("crontabs", "atjobs"):
        (tmp_path / name).mkdir()
    (tmp_path / "crontabs" / "root").symlink_to("nowhere")
    (tmp_path / "atjobs" / "a0001").touch()
    (tmp_path / "at.deny").touch()
    monkeypatch.setitem(FILES, "/etc/cron.allow", "ada\nroot\n")
    monkeypatch.setitem(FILES, "/etc/cron.deny", "www-data\nroot\n")
    assert host_info.schedulers("root") == {
        "deny": [str(tmp_path / "at.deny")],
        "allow": ["/etc/cron.allow"],
        "jobs": [str(tmp_path / "crontabs/root"), str(tmp_path / "atjobs/a0001")],
    }


@pytest.mark.parametrize("case", [(False, 0, True), (True, 0, False), (False, 1, False)])
@pytest.mark.usefixtures("host_info")
def test_the_audit_begins_early(
    run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, case: tuple[bool, int, bool]
) -> None:
    """A unit of its own asks the gateway for its audit; not in check mode, and not while another one runs."""
    check, code, begins = case
    begun: list[list[str]] = []

    def run_command(_module: AnsibleModule, argv: list[str], **_: object) -> tuple[int, str, str]:
        begun.append(argv)
        return code, "", ""

    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    assert (run_module("host_info", arguments | {"audit": "/bin/true"}, check=check)["audit_began"] > 0) is begins
    assert [argv[0] for argv in begun] == ([] if check else ["systemd-run"])
    assert run_module("host_info", arguments | {"audit": "/no/such/command"})["audit_began"] == 0


def test_a_home_below_a_directory_of_somebody_else(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    """Each directory on the way that others can change is named, where a link leads to one, too; the home itself may be its user's."""
    (tmp_path / "open/inner").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open/inner")
    found = run_module("host_info", arguments | {"home": str(tmp_path / "link/home")})["open_parents"]
    assert [path for path in found if path.startswith(str(tmp_path))] == [f"{tmp_path}/open"]
    assert run_module("host_info", arguments | {"home": "/home/daemon"})["open_parents"] == []
