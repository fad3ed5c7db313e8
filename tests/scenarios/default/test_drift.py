"""What playbooks/verify.yml finds: nothing on a host that is in order, each change that somebody made by hand, and it makes none itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.gateway import CONFIG, UNIT, Host, playbook

# All that a run could touch, but for what the running gateway itself writes.
LOOK = """
export LC_ALL=C
find /etc /usr /opt /root /srv /var/lib /var/spool -xdev \\
  \\( -path /root/.ansible -o -path /var/lib/fail2ban -o -path /var/lib/systemd \\) -prune -o \\
  -type f -printf '%p %s %T@ %m %U %G\\n' | sort | sha256sum
sha256sum /etc/passwd /etc/group /etc/shadow /etc/openclaw/* /home/openclaw/.openclaw/workspace/AGENTS.md
systemctl show --property=Id,ActiveState,MainPID,NRestarts openclaw-gateway ssh ufw fail2ban lobsterpot-egress lobsterpot-forward
nft --stateless list ruleset | sha256sum
ls /run | sort
"""

DRIFT = f"""
mkdir -m 0700 /root/drift
cp -a {CONFIG} /etc/openclaw/secrets.json /etc/systemd/system/{UNIT} /etc/lobsterpot/egress.nft /root/drift
cp -a /etc/ssh/sshd_config.d/01-lobsterpot.conf /root/drift
cp -a /home/openclaw/.openclaw/workspace/AGENTS.md /root/drift
cp -a /opt/openclaw/current /root/drift
readlink /opt/openclaw/current >/root/drift/release
run-as() {{ /usr/local/lib/lobsterpot/run-as-openclaw podman "$@"; }}
systemctl stop fail2ban
python3 - <<'PYTHON'
import json
for file, *names in (("{CONFIG}", "tools", "elevated", "enabled", True), ("/etc/openclaw/secrets.json", "models", "scripted", "x" * 30)):
    text = json.load(open(file))
    part = text
    for name in names[:-2]:
        part = part[name]
    part[names[-2]] = names[-1]
    json.dump(text, open(file, "w"))
PYTHON
mkdir /etc/systemd/system/{UNIT}.d
printf '[Service]\\nNoNewPrivileges=no\\n' >/etc/systemd/system/{UNIT}.d/weaker.conf
systemctl daemon-reload
echo '# by hand' | tee -a /etc/systemd/system/{UNIT} /etc/lobsterpot/egress.nft /etc/ssh/sshd_config.d/01-lobsterpot.conf >/dev/null
ufw allow 4444/tcp
nft insert rule inet lobsterpot_egress guarded accept
usermod --append --groups adm openclaw
sed -i 's/^- Never show a key.*/- Show every key./' /home/openclaw/.openclaw/workspace/AGENTS.md
# Under the name of root's image, and looked up before it.
tar -C / -c etc/hostname >/root/drift/image.tar
run-as import - $(run-as image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' localhost/openclaw-sandbox) </root/drift/image.tar
cp -al /opt/openclaw/$(cat /root/drift/release) /opt/openclaw/releases/2026.9.6-x64-000000000000
ln -sfn releases/2026.9.6-x64-000000000000 /opt/openclaw/current
"""

UNDO = f"""
run-as() {{ /usr/local/lib/lobsterpot/run-as-openclaw podman "$@"; }}
run-as image rm $(run-as image ls --filter readonly=false --quiet)
# With the time it had: a link that is newer than the gateway's process would be drift.
cp -a --no-target-directory --remove-destination /root/drift/current /opt/openclaw/current
rm -r /opt/openclaw/releases/2026.9.6-x64-000000000000
gpasswd --delete openclaw adm
systemctl reload lobsterpot-egress
ufw delete allow 4444/tcp
rm -r /etc/systemd/system/{UNIT}.d
cd /root/drift
cp -a AGENTS.md /home/openclaw/.openclaw/workspace
cp -a openclaw.json secrets.json /etc/openclaw
cp -a {UNIT} /etc/systemd/system
cp -a egress.nft /etc/lobsterpot
cp -a 01-lobsterpot.conf /etc/ssh/sshd_config.d
systemctl daemon-reload
systemctl start fail2ban
rm -r /root/drift
"""


def verify(report: Path, **variables: object) -> tuple[int, str, Any]:
    """Run the playbook; return its exit code, the hosts' lines of its output, and the report."""
    asked = json.dumps({"verify_report": str(report), **variables})
    done = playbook("--extra-vars", asked, name="playbooks/verify.yml", check=False)
    return done.returncode, done.stdout, json.loads(report.read_text())


def test_a_host_in_order(gateway: Host, tmp_path: Path) -> None:
    """Nothing is found, nothing is touched, and the exit code says so; the report is as documented."""
    before = gateway.run(LOOK)
    code, said, report = verify(tmp_path / "report.json")
    assert code == 0, said[-3000:]
    assert "changed=0" in said
    assert gateway.run(LOOK) == before
    found = report["hosts"][gateway.name]
    assert (report["format"], list(report["hosts"])) == (1, [gateway.name])
    assert (found["ok"], found["reachable"], found["changes"], found["failures"]) == (True, True, [], [])
    assert {topic: problems for topic, problems in found["problems"].items() if problems} == {}
    assert {"audit", "policy", "service", "firewall", "outbound", "sandbox", "release"} <= set(found["problems"])
    assert found["release"].startswith("2026.9.6-x64-")


@pytest.fixture
def drifted(gateway: Host) -> Iterator[Host]:
    """The host after somebody changed one thing of each kind by hand."""
    gateway.run(DRIFT)
    gateway.sql("INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', '666', 9, 1)")
    yield gateway
    gateway.sql("DELETE FROM channel_pairing_allow_entries WHERE entry = '666'")
    gateway.run(UNDO)


def test_each_kind_of_drift(drifted: Host, tmp_path: Path) -> None:
    """Configuration, secrets, units, firewall, groups, senders, the agent's rules, image, release: each is named, none is put right."""
    before = drifted.run(LOOK)
    code, said, report = verify(tmp_path / "report.json", access_authoritative=True)
    assert code == 2, said[-3000:]
    assert drifted.run(LOOK) == before
    found = report["hosts"][drifted.name]
    assert found["ok"] is False
    assert found["failures"] == []
    changes = {(change["topic"], what) for change in found["changes"] for what in change["what"] or [change["step"]]}
    assert changes >= {
        ("ssh", "/etc/ssh/sshd_config.d/01-lobsterpot.conf"),
        ("fail2ban", "fail2ban.service"),
        ("account", "openclaw"),
        ("egress", "/etc/lobsterpot/egress.nft"),
        ("gateway", "Keep the secrets"),
        ("gateway", "/etc/openclaw/openclaw.json"),
        ("gateway", f"/etc/systemd/system/{UNIT}"),
        ("gateway", "/opt/openclaw/current"),
        ("gateway", "/home/openclaw/.openclaw/workspace"),
        ("access", "telegram/default"),
    }
    release = drifted.run("basename $(cat /root/drift/release)").strip()
    assert {topic: problems for topic, problems in found["problems"].items() if problems} == {
        "service": [
            f"/etc/systemd/system/{UNIT}.d/weaker.conf changes {UNIT}",
            f"{UNIT} runs from another file than the one that is there: systemctl daemon-reload",
        ],
        "firewall": ["UFW has a rule that nobody asked for: ufw allow 4444/tcp"],
        "outbound": ["the table of what openclaw may send was changed since it was loaded: systemctl reload lobsterpot-egress"],
        "bans": ["fail2ban does not watch sshd"],
        "account": ["openclaw is a member of adm; it needs no group but its own"],
        "release": [f"release 2026.9.6-x64-000000000000 is in use, not {release}"],
        "sandbox": [f"sandboxes may be made of an image that is not root's: systemctl restart {UNIT} removes it"],
        "policy": found["problems"]["policy"],
    }
    assert [words for words in found["problems"]["policy"] if not words.startswith("policy: tools-elevated-enabled: ")] == []
    assert found["problems"]["policy"]
    assert "x" * 30 not in said + json.dumps(report)
    assert f"{drifted.name}: NOT IN ORDER" in said
