"""S5: what a model can do with its tools. The scripted model drives the real gateway into the real sandbox."""

from __future__ import annotations

import pytest

from tests.lab.gateway import RUN_AS, Host

# Five seconds without an answer count as refused.
PROBE = r"""
section() { echo "== $1"; }
section identity; id -u
section capabilities; grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | awk '{print $2}' | sort -u
section privileges; awk '/^NoNewPrivs/ {print $2}' /proc/self/status
section seccomp; awk '/^Seccomp:/ {print $2}' /proc/self/status
section links; ls /sys/class/net
section connect; timeout 5 bash -c 'echo >/dev/tcp/127.0.0.1/18789' 2>/dev/null && echo reached || echo refused
section resolve; getent hosts deb.debian.org >/dev/null && echo resolved || echo unresolved
section root; touch /probe /usr/probe /etc/probe 2>/dev/null && echo written || echo read-only
section host; ls -d /etc/openclaw /opt/openclaw /run/openclaw /home/openclaw /home/admin /run/user 2>/dev/null | wc -l
section secret; env | grep -c planted-; grep -rls planted- /workspace /tmp /run /home /etc /proc/self/environ 2>/dev/null | wc -l
section setuid; find / -xdev -perm /6000 -type f 2>/dev/null | wc -l
section processes; ls -d /proc/[0-9]* | wc -l
section sockets; find / -xdev -type s 2>/dev/null | wc -l
section mount; mount -t tmpfs none /mnt 2>/dev/null && echo mounted || echo refused
section namespace; unshare --user true 2>&1 | sed 's/.*: //'
section devices; ls /dev | grep -E '^(sd|vd|nvme|kvm|fuse|mem|kmsg|tun)' | wc -l
"""


@pytest.fixture(scope="module")
def found(model: Host) -> dict[str, list[str]]:
    """What exec sees, section by section."""
    out = model.agent("exec", {"command": PROBE}, "s05-probe")
    sections: dict[str, list[str]] = {}
    for line in out.splitlines():
        if line.startswith("== "):
            current = sections.setdefault(line[3:], [])
        elif sections:
            current.append(line)
    return sections


def test_it_is_a_plain_user_without_capabilities(found: dict[str, list[str]]) -> None:
    """S5: not root, no capability in any set, no way to gain privileges, no namespace in which to be root, system calls filtered."""
    assert found["identity"] == ["1000"]
    assert found["capabilities"] == ["0000000000000000"]
    assert found["privileges"] == ["1"]
    assert found["seccomp"] == ["2"]
    assert found["namespace"] == ["Function not implemented"]
    assert found["setuid"] == ["0"]


def test_it_has_no_network(found: dict[str, list[str]]) -> None:
    """S5: loopback of its own and nothing else; not the gateway's port, no name resolved."""
    assert found["links"] == ["lo"]
    assert found["connect"] == ["refused"]
    assert found["resolve"] == ["unresolved"]


def test_it_sees_no_state_configuration_or_secret(found: dict[str, list[str]]) -> None:
    """S5: none of the host's directories, none of the planted secrets, no socket, no foreign process."""
    assert found["host"] == ["0"]
    assert found["secret"] == ["0", "0"]
    assert found["sockets"] == ["0"]
    assert int(found["processes"][0]) < 12


def test_it_cannot_change_its_root(found: dict[str, list[str]]) -> None:
    """S5: read-only root, no mount, no device of the host."""
    assert found["root"] == ["read-only"]
    assert found["mount"] == ["refused"]
    assert found["devices"] == ["0"]


def test_each_sandbox_is_made_with_bounds(model: Host, found: dict[str, list[str]]) -> None:  # noqa: ARG001 - it makes one
    """S5: processes, memory and CPU are bounded in the container that the gateway made. Enforcement needs cgroup v2: a VM shows it."""
    names = model.run(f"{RUN_AS} podman ps --format '{{{{.Names}}}}'").split()
    assert names
    wanted = ["--read-only", "--network none", "--user 1000:1000", "--cap-drop ALL", "--security-opt no-new-privileges"]
    wanted += ["--pids-limit 256", "--memory 1g", "--memory-swap 1g", "--cpus 1"]
    for name in names:
        command = model.run(f"{RUN_AS} podman inspect --format '{{{{join .Config.CreateCommand \" \"}}}}' {name}")
        assert [option for option in wanted if option not in command] == []
