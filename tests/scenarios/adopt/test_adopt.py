"""A host with a Clawdbot set up by hand: refused, broken off, adopted; the new gateway is asked what it knows. Tests build on others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests import lab
from tests.integration.real_gateway import TOKEN
from tests.scenarios.adopt import by_hand
from tests.scenarios.adopt.by_hand import API, HOME, USER

NAME = os.environ.get("LAB_HOST", "gw5")
INVENTORY: dict[str, object] = {
    "gateway_channels": {"telegram": {}},
    "gateway_secrets": {"telegram": {"botToken": "{{ lab_planted.extra }}"}},
    "gateway_config_extra": {"channels": {"telegram": {"apiRoot": API["openclaw"]}}},
}
# What a run that only looks may not touch; the old gateway itself goes on writing below .clawdbot.
SETTINGS = f"""
find /etc /usr /opt /var/backups {HOME}/.config {HOME}/clawd -type f -printf '%p %s %T@ %m %U %G\\n' | sort | sha256sum
dpkg-query --show | sha256sum; systemctl is-active user@$(id -u {USER}); ps -o pid= -u {USER} | sort | sha256sum
"""
UNIT = "clawdbot-gateway.service"
SENDERS = """
/usr/local/lib/lobsterpot/run-as-openclaw python3 -c "
import sqlite3
db = sqlite3.connect('file:/home/openclaw/.openclaw/state/openclaw.sqlite?mode=ro', uri=True)
print([row[0] for row in db.execute('SELECT entry FROM channel_pairing_allow_entries WHERE channel_key = \\'telegram\\' ORDER BY entry')])
print(db.execute('SELECT request_id FROM channel_pairing_requests').fetchall())"
"""

TRANSCRIPTS = """
/usr/local/lib/lobsterpot/run-as-openclaw python3 -c "
import sqlite3
db = sqlite3.connect('file:/home/openclaw/.openclaw/agents/main/agent/openclaw-agent.sqlite?mode=ro', uri=True)
print(any('remember me' in str(row) for row in db.execute('SELECT * FROM transcript_events')))"
"""


def host(script: str) -> str:
    return lab.inside(NAME, script).strip()


def adopt(folder: Path, *arguments: str, **variables: object) -> tuple[int, str]:
    """Run the playbook as an operator does; return the exit code and what it said."""
    file = folder / "inventory.json"
    file.write_text(json.dumps({**INVENTORY, **variables}))
    done = lab.site(NAME, "--extra-vars", f"@{file}", *arguments, playbook="playbooks/adopt.yml")
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("by-hand")
    # A host that has one is taken as it is: then one test can be run again.
    if lab.quiet(*lab.door(NAME), "test", "!", "-e", HOME):
        by_hand.set_up(NAME, "unscoped", made / "state")
    return made


def test_a_look_touches_nothing(folder: Path) -> None:
    """S12: --check tells what is there, no secret among it, and changes nothing."""
    before = host(SETTINGS)
    code, said = adopt(folder, "--check")
    assert code == 0, said[-2000:]
    assert f"{USER} has clawdbot 2026.1.24-3" in said
    assert "senders telegram/default: 2" in said
    assert f"secret in {HOME}/.clawdbot/clawdbot.json: channels.telegram.botToken" in said
    assert TOKEN not in said
    assert "changed=0" in said
    assert host(SETTINGS) == before


REFUSED: dict[str, tuple[dict[str, object], list[str]]] = {
    "all that the inventory lacks": (
        {"gateway_channels": {}, "gateway_secrets": {}, "gateway_config_extra": {}, "access_authoritative": True},
        [
            "gateway_channels: telegram is on in the old gateway and not named",
            "access_authoritative: telegram/default 4242 is approved and not in access_channels",
            "access_authoritative: telegram/default 7001 is approved and not in access_channels",
        ],
    ),
    "not confirmed": ({"confirm": "gw9"}, ["To go on, type the host's name when asked"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(folder: Path, case: str) -> None:
    """S14: one message with the way out, the old gateway goes on undisturbed."""
    variables, words = REFUSED[case]
    before = host(SETTINGS)
    code, said = adopt(folder, **variables)
    assert code != 0
    assert [word for word in words if word not in said] == []
    assert "Nothing was changed" in said
    assert host(SETTINGS) == before


def test_a_backup_that_fails_leaves_the_old_gateway_running(folder: Path) -> None:
    """S10: its user's own files can be unreadable to the user, after a container of root's wrote there, for example."""
    host(f"install -m 0600 -o root /dev/null {HOME}/clawd/of-root")
    code, said = adopt(folder, "--extra-vars", f"confirm={NAME}")
    host(f"rm {HOME}/clawd/of-root")
    assert code != 0
    assert "The old gateway was started again and nothing was removed" in said
    assert "of-root: Cannot open: Permission denied" in said
    assert by_hand.as_user(NAME, f"systemctl --user is-active {UNIT}; systemctl --user is-enabled {UNIT}").split() == ["active", "enabled"]
    assert host("ls /var/backups/lobsterpot") == ""


def test_a_new_gateway_that_does_not_get_ready_leaves_all_of_the_old_one(folder: Path) -> None:
    """S10: the old state is where it was, and its unit can be started again."""
    code, said = adopt(folder, "--extra-vars", f"confirm={NAME}", gateway_ready_timeout=1)
    assert code != 0
    assert "The gateway did not become ready" in said
    by_hand.as_user(NAME, f"systemctl --user start {UNIT}")
    assert by_hand.talk(NAME, API["clawdbot"], 4242, "still there?") == "OK"
    by_hand.as_user(NAME, f"systemctl --user stop {UNIT}; cat clawd/MEMORY.md .clawdbot/credentials/telegram-allowFrom.json")


def test_adopted(folder: Path) -> None:
    """The run that was broken off goes on, and the new gateway passes its own checks."""
    code, said = adopt(folder)
    assert code == 0, said[-3000:]
    assert "all 13 checks passed" in said
    assert "is adopted: the gateway runs as openclaw" in said
    assert TOKEN not in said


def test_its_friends_are_friends_and_nobody_else() -> None:
    """S8: who was approved by code or by configuration is answered; who only asked is asked for a code again."""
    assert by_hand.talk(NAME, API["openclaw"], 4242, "hello") == "OK"
    assert by_hand.talk(NAME, API["openclaw"], 7001, "hello") == "OK"
    assert host(SENDERS).splitlines() == ["['1001', '123456789', '4242', '7001']", "[]"]
    assert "access not configured" in by_hand.talk(NAME, API["openclaw"], 5151, "hello")


def test_its_conversations_and_its_workspace_are_there() -> None:
    """What was said to the old gateway is in a session of the new one; links in the workspace stay links."""
    sessions = json.loads(host("openclaw sessions --json"))["sessions"]
    assert "agent:main:main" in [session["key"] for session in sessions]
    assert host(TRANSCRIPTS) == "True"
    workspace = "/home/openclaw/.openclaw/workspace"
    assert host(f"cat {workspace}/MEMORY.md") == "milk"
    assert host(f"readlink {workspace}/shadow") == "/etc/shadow"
    # What the gateway itself copies for a sandbox has the modes of the release.
    state = "/home/openclaw/.openclaw"
    assert host(f"find {state} -path {state}/sandboxes -prune -o '(' ! -user openclaw -o -perm /077 ! -type l ')' -print -quit") == ""
    assert "Rules of this host" in host(f"cat {workspace}/AGENTS.md")


def test_nothing_of_the_old_one_is_left() -> None:
    """No unit, no state, no process, no way to be root by Docker, no token in clear."""
    assert host(f"id -nG {USER}") == USER
    assert host(f"ls -A {HOME}/.config/systemd/user; ls -d {HOME}/.clawdbot {HOME}/clawd 2>/dev/null || true") == ""
    assert host(f"test ! -e /var/lib/systemd/linger/{USER}; pgrep -u {USER} -f 'clawdbot.*gateway' || true") == ""
    assert host(f"grep -rlF '{TOKEN}' /etc /home /opt 2>/dev/null || true") == ""


def test_the_backup_can_be_read() -> None:
    """Root's alone; it holds configuration, state, workspace and unit as they were, their owner included."""
    archives = host("find /var/backups/lobsterpot -mindepth 1 -printf '%U %G %m %p\\n'").splitlines()
    assert [line.rpartition("/")[0] for line in archives] == ["0 0 600 /var/backups/lobsterpot"]
    path = archives[0].split()[3]
    held = host(f"tar --list --gzip --file {path}").splitlines()
    home = HOME.lstrip("/")
    for name in (
        ".clawdbot/clawdbot.json",
        ".clawdbot/credentials/telegram-allowFrom.json",
        "clawd/MEMORY.md",
        f".config/systemd/user/{UNIT}",
    ):
        assert f"{home}/{name}" in held
    host(f"mkdir /root/back && tar --extract --gzip --directory /root/back --file {path}")
    assert TOKEN in host(f"cat /root/back/{home}/.clawdbot/clawdbot.json")
    assert host(f"stat -c '%U %a' /root/back/{home}/.clawdbot/clawdbot.json; rm -r /root/back") == f"{USER} 600"


def test_a_second_run_finds_nothing(folder: Path) -> None:
    """S12."""
    code, said = adopt(folder)
    assert (code, "changed=0" in said, "Nothing to adopt: no other gateway is left" in said) == (0, True, True)
