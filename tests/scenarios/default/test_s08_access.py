"""S8: who may write to the bot. A fake Telegram on the host's loopback, the real gateway, and the operator's playbooks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.lab import limits
from tests.lab.gateway import CONFIG, UNIT, Host, playbook, wait_for

STATE = "/home/openclaw/.openclaw"
API = "http://127.0.0.1:9912"
CODE = re.compile(r"\b[A-HJ-NP-Z2-9]{8}\b")
ADD_CHANNEL = f"""
import json
config = json.load(open("{CONFIG}"))
config["channels"] = {{"telegram": {{"botToken": "1:lab", "apiRoot": "{API}", "dmPolicy": "pairing", "configWrites": False}}}}
config["agents"]["defaults"]["model"] = {{"primary": "scripted/obedient"}}
json.dump(config, open("{CONFIG}", "w"))
"""


APPROVED = "SELECT channel_key, account_id, entry FROM channel_pairing_allow_entries ORDER BY 1, 2, sort_order"


class Telegram:
    """The fake Telegram on the host, and somebody who writes to the bot through it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def heard(self, sender: int) -> list[str]:
        ask = f"import urllib.request as u; print(u.urlopen('{API}/test/sent', timeout={limits.ANSWER}).read().decode())"
        out = self.host.run(f'python3 -c "{ask}"')
        return [str(message["text"]) for message in json.loads(out) if message["chat"] == sender and message["method"] == "sendMessage"]

    def says(self, sender: int, text: str) -> str:
        """Write to the bot and return what it answers next."""
        before = len(self.heard(sender))
        body = json.dumps({"sender": sender, "text": text})
        request = f"u.Request('{API}/test/say', b'{body}', {{'content-type': 'application/json'}})"
        self.host.run(f"python3 - <<'PYTHON'\nimport urllib.request as u; u.urlopen({request}, timeout={limits.ANSWER})\nPYTHON\n")
        wait_for(lambda: len(self.heard(sender)) > before, f"the bot answers {sender}")
        return self.heard(sender)[before]


@pytest.fixture(scope="module")
def telegram(model: Host, bot_api: str) -> Iterator[Telegram]:  # noqa: ARG001 - the channel of these tests, at API
    """The host with a Telegram channel, for the time of these tests."""
    model.run(f"cp -a {CONFIG} /root/config.away; python3 - <<'PYTHON'\n{ADD_CHANNEL}\nPYTHON\nsystemctl restart {UNIT}")
    model.wait_until_ready()
    yield Telegram(model)
    model.run(f"cp -a /root/config.away {CONFIG}; rm /root/config.away; systemctl restart {UNIT}")
    model.wait_until_ready()


def test_the_inventory_decides(gateway: Host) -> None:
    """People named once are approved on their channels, in the gateway's spelling; files stay the gateway's own and private."""
    approved = gateway.sql(APPROVED)
    assert [row for row in approved if not row.endswith("|4242")] == [
        "nextcloud-talk|work|ada",
        "telegram|default|123456789",
        "telegram|default|1001",
    ]
    assert set(gateway.run(f"stat -c '%U:%G %a' {STATE}/state/openclaw.sqlite*").splitlines()) == {"openclaw:openclaw 600"}


def test_a_stranger_is_let_in_and_sent_away_by_playbook(telegram: Telegram) -> None:
    """Challenged, approved with the code, answered, removed by the inventory, challenged again; nothing is restarted."""
    host = telegram.host
    process = host.run(f"systemctl show -p MainPID --value {UNIT}")
    code = CODE.search(telegram.says(777, "hello"))
    assert code
    listed = playbook(name="playbooks/pairing.yml").stdout
    assert "telegram/default: 777 (calls itself Person 777 person777) asks since 0 min" in listed
    approved = playbook("-vvv", "--diff", "--extra-vars", f"approve={code[0]}", name="playbooks/pairing.yml").stdout
    assert "Approved: 777 on telegram/default." in approved
    assert not [line for line in approved.splitlines() if code[0] in line and "approve=" not in line]
    assert telegram.says(777, "again") == "OK"
    again = playbook(name="playbooks/access.yml").stdout
    assert "changed=0" in again
    only = playbook("--extra-vars", '{"access_authoritative": true}', name="playbooks/access.yml").stdout
    assert "changed=1" in only
    challenge = telegram.says(777, "and again")
    assert "access not configured" in challenge
    code = CODE.search(challenge)
    assert code
    assert "Dismissed: 777 on telegram/default." in playbook("--extra-vars", f"dismiss={code[0]}", name="playbooks/pairing.yml").stdout
    assert host.run(f"systemctl show -p MainPID --value {UNIT}") == process
    assert json.loads(host.run(f"cat {CONFIG}"))["commands"]["ownerAllowFrom"] == ["nobody:nobody"]


def test_a_code_nobody_has_is_an_error(gateway: Host) -> None:
    """One clear message without the code; and two wishes at once are refused."""
    done = playbook("--extra-vars", "dismiss=ZZZZ9999", name="playbooks/pairing.yml", check=False)
    assert done.returncode != 0
    assert "There is no pending request with this code" in " ".join(done.stdout.split())
    done = playbook("--extra-vars", "dismiss=ZZZZ9999 approve=ZZZZ9999", name="playbooks/pairing.yml", check=False)
    assert "Give one of approve=CODE and dismiss=CODE" in " ".join(done.stdout.split())
    assert gateway.run("journalctl --no-pager | grep -c ZZZZ9999 || true").strip() == "0"


def test_what_is_approved_can_be_adopted(gateway: Host) -> None:
    """The export is YAML for the inventory, and what nobody should adopt is left out and named."""
    gateway.sql("INSERT INTO channel_pairing_allow_entries VALUES ('discord', 'default', '*', 0, 1)")
    try:
        export = playbook(name="playbooks/access-export.yml").stdout
        assert "- '123456789'" in export
        assert "ada:" in export
        assert "# Left out, look at it: discord/default: '*' lets everybody in" in export
        refused = playbook(name="playbooks/access.yml", check=False)
        assert refused.returncode != 0
        assert "discord/default: '*' lets everybody in" in " ".join(refused.stdout.split())
        assert "changed=1" in playbook("--extra-vars", '{"access_authoritative": true}', name="playbooks/access.yml").stdout
        assert [row for row in gateway.sql(APPROVED) if row.startswith("discord")] == []
    finally:
        gateway.sql("DELETE FROM channel_pairing_allow_entries WHERE entry = '*'")


def test_a_hostile_state_directory(gateway: Host) -> None:
    """S15: with a link to root's directory in place of the state, the play fails and the canary stays as it was."""
    # A gateway that runs makes its state anew in the moment in which there is neither directory nor link.
    gateway.run(
        f"systemctl stop {UNIT}; mkdir -m 0700 /root/canary-access; "
        "echo '{\"version\": 1}' >/root/canary-access/canary; touch -d 2020-01-01 /root/canary-access"
    )
    look = "find /root/canary-access -printf '%p %U %m %s %T@ %C@\\n'; cat /root/canary-access/canary"
    before = gateway.run(look)
    try:
        for trap in (
            f"mv {STATE}/credentials {STATE}/c.away; ln -sT /root/canary-access {STATE}/credentials",
            f"mv {STATE} {STATE}.away; ln -sT /root/canary-access {STATE}",
        ):
            code, out = gateway.as_user(trap)
            assert code == 0, out
            playbook("--extra-vars", '{"access_authoritative": true}', name="playbooks/access.yml", check=False)
            playbook(name="playbooks/pairing.yml", check=False)
            gateway.as_user(f"if [ -L {STATE} ]; then rm {STATE}; mv {STATE}.away {STATE}; fi")
            gateway.as_user(f"if [ -L {STATE}/credentials ]; then rm {STATE}/credentials; mv {STATE}/c.away {STATE}/credentials; fi")
        assert gateway.run(look) == before
        assert gateway.run("find /home/openclaw -user root -print") == ""
    finally:
        gateway.run(f"rm -r /root/canary-access; systemctl start {UNIT}")
    gateway.wait_until_ready()
