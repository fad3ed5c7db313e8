"""S15: root trusts nothing that the gateway's user can write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.gateway import UNIT, Host, playbook

PLANT = """
set -eu
cd
mkdir -p .config/containers .config/systemd/user/default.target.wants .config/environment.d .cache
# Files that root's or podman's doings in the home could follow, read or run.
mv .cache/tmp .cache/tmp.away; ln -s /root/canary-dir .cache/tmp
mv .openclaw .openclaw.away; ln -s /root/canary-dir .openclaw
printf '[engine]\\nhooks_dir=["%s/hooks"]\\nconmon_path=["%s/evil"]\\n' "$HOME" "$HOME" >.config/containers/containers.conf
printf '[storage]\\ndriver="overlay"\\n[storage.options.overlay]\\nmount_program="%s/evil"\\n' "$HOME" >.config/containers/storage.conf
printf '#!/bin/sh\\ntouch /srv/evil-ran\\nexit 1\\n' >evil; chmod +x evil
printf '[Service]\\nType=oneshot\\nExecStart=%s/evil\\n[Install]\\nWantedBy=default.target\\n' "$HOME" >.config/systemd/user/planted.service
ln -s ../planted.service .config/systemd/user/default.target.wants/planted.service
path="SYSTEMD_UNIT_PATH=$HOME/.config/systemd/user:/usr/lib/systemd/user"
printf '[Manager]\\nManagerEnvironment=%s\\n' "$path" >.config/systemd/user.conf
printf '%s\\n' "$path" >.config/environment.d/x.conf
"""

MARK = "/srv/evil-ran"
RAN = f"test -e {MARK} && echo ran || echo never"

CLEAN = """
cd /home/openclaw
rm -rf .config/containers .config/systemd .config/environment.d evil
if [ -L .cache/tmp ]; then rm .cache/tmp; mv .cache/tmp.away .cache/tmp; fi
if [ -L .openclaw ]; then rm .openclaw; mv .openclaw.away .openclaw; fi
rm -rf /root/canary-dir; rm -f /srv/evil-ran; chmod 0755 /srv
"""

CANARY = "find /root/canary-dir -printf '%p %U %m %s\\n' | sort; cat /root/canary-dir/canary; ls /srv/evil-ran 2>/dev/null || true"


@pytest.fixture(scope="module")
def hostile(gateway: Host) -> Iterator[Host]:
    """The host after an attacker became the gateway's user and laid out every trap for root."""
    gateway.run(f"systemctl stop {UNIT}; mkdir -m 0755 /root/canary-dir; chmod 1777 /srv; echo untouched >/root/canary-dir/canary")
    code, out = gateway.as_user(PLANT)
    assert code == 0, out
    yield gateway
    gateway.run(CLEAN)
    gateway.run("systemctl restart user@$(id -u openclaw).service; systemctl reset-failed; " + f"systemctl restart {UNIT}")
    gateway.wait_until_ready()


def test_a_run_over_a_hostile_home(hostile: Host) -> None:
    """S15: with links to root's files in place of the state and the temporary directory, a whole run leaves the canary as it was."""
    before = hostile.run(CANARY)
    # Short: no gateway gets ready in this home.
    playbook("--tags", "baseline,ssh,account,sandbox,gateway", "--extra-vars", "gateway_ready_timeout=3", check=False)
    assert hostile.run(CANARY) == before
    assert hostile.run("find /home/openclaw -user root -print") == ""


def test_its_manager_starts_nothing_it_planted(hostile: Host) -> None:
    """S9, S15: a unit enabled in the home, with every known way to point the manager at it, is not found and not run at its next start."""
    hostile.run("systemctl restart user@$(id -u openclaw).service")
    assert hostile.run(RAN).strip() == "never"
    code, out = hostile.as_user("export XDG_RUNTIME_DIR=/run/user/$(id -u); systemctl --user start planted.service")
    assert code != 0
    assert "not found" in out


def test_the_planted_unit_would_run(hostile: Host) -> None:
    """The trap is a good one: without the drop-in the same unit runs."""
    folder = hostile.run("echo /etc/systemd/system/user@$(id -u openclaw).service.d").strip()
    hostile.run(f"mv {folder} /root/dropin.away; systemctl daemon-reload; systemctl restart user@$(id -u openclaw).service")
    try:
        assert hostile.run(f"wait_until 'test -e {MARK}'; {RAN}").strip() == "ran"
    finally:
        hostile.run(f"mv /root/dropin.away {folder}; systemctl daemon-reload; systemctl restart user@$(id -u openclaw).service")
