"""Clawdbot under the same roles: installed, confined, its secrets and senders kept, its tools in a sandbox."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import subprocess

import pytest

from tests.lab import limits
from tests.lab.gateway import RUN_AS, Host, playbook, wait_for
from tests.lab.neighbour import open_ports

UNIT = "clawdbot-gateway.service"
POLICY = "@molecule/clawdbot/vars/policy.yml"
PID = f"systemctl show -p MainPID --value {UNIT}"
CREDENTIALS = "/home/openclaw/.clawdbot/credentials"
# In molecule/clawdbot/vars/policy.yml.
AWKWARD = 'of nobody\'s "voice" $HOME `id` \\ # ;'
FILES = f"find /etc/clawdbot /run/clawdbot /opt/clawdbot/bin /etc/systemd/system/{UNIT} -type f | sort | xargs sha256sum"
UP = f'import urllib.request as u; u.urlopen("http://127.0.0.1:18789/", timeout={limits.ANSWER})'
# The searching programs are given the value by a file: as an argument they would find themselves.
SEARCH = """
find / -xdev -type f -perm /004 -print0 2>/dev/null | xargs -0 grep -lsFf /root/needle || true
grep -rlsFf /root/needle /etc/clawdbot/clawdbot.json /etc/clawdbot/environment /etc/systemd/system || true
journalctl --no-pager --output=cat | grep -cFf /root/needle || true
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -cFf /root/needle || true
"""


def site(*arguments: str, check: bool = True, name: str = "site.yml") -> subprocess.CompletedProcess[str]:
    return playbook("--extra-vars", POLICY, *arguments, check=check, name=name)


def wait_until_up(gateway: Host) -> None:
    wait_for(lambda: gateway.code(f"python3 -c '{UP}'") == 0, "the gateway answers on its port")


def test_its_release_runs(gateway: Host) -> None:
    """The process is the release's own Node, and the admin's command reaches it."""
    assert gateway.run("clawdbot --version").split()[-1] == "2026.1.24-3"
    assert gateway.run(f"readlink /proc/$({PID})/exe").startswith("/opt/clawdbot/releases/2026.1.24-3-x64-")
    assert json.loads(gateway.run("clawdbot health --json | sed -n '/^{/,$p'"))["ok"] is True


def test_the_doors(gateway: Host) -> None:
    """S1, S2: it listens on loopback alone, and once: no bridge, no browser, no canvas. From outside only SSH answers."""
    rows = [line.split() for line in gateway.run("ss -Hltun").splitlines()]
    assert sorted({(row[0], row[4]) for row in rows if not row[4].startswith("127.0.0.1:9911")}) == [
        ("tcp", "0.0.0.0:2022"),
        ("tcp", "127.0.0.1:18789"),
        ("tcp", "[::1]:18789"),
        ("tcp", "[::]:2022"),
    ]
    assert open_ports(gateway.ipv4) == {2022}


def test_its_unit_is_as_tight(gateway: Host) -> None:
    """S3: no new privileges, no capability, system calls filtered; the same exposure as the other product's."""
    status = dict(line.split(":\t", 1) for line in gateway.run(f"cat /proc/$({PID})/status").splitlines() if ":\t" in line)
    assert {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    line = gateway.run(f"systemd-analyze security --no-pager {UNIT} | tail -1")
    assert float(line.split(":")[1].split()[0]) <= 2.6


CHANGES = {
    "code": "echo x >>/opt/clawdbot/current/node_modules/clawdbot/dist/entry.js",
    "what it takes for docker": "echo x >>/opt/clawdbot/bin/docker",
    "configuration": "echo '{}' >/etc/clawdbot/clawdbot.json",
    "configuration, by rename": "mv /etc/clawdbot/clawdbot.json /etc/clawdbot/old.json",
    "configuration, by its command": ". /etc/clawdbot/environment; . /run/clawdbot/secrets.env; clawdbot config set gateway.bind lan",
    "secrets": "cat /etc/clawdbot/secrets.json",
    "the directory of the secrets' copy": "touch /run/clawdbot/mine",
    "environment": "echo LD_PRELOAD=/tmp/x >>/etc/clawdbot/environment",
    "the script that hands out secrets": "echo x >>/usr/local/lib/lobsterpot/secrets-environment",
    "unit": f"echo x >>/etc/systemd/system/{UNIT}",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_its_user_changes_nothing_that_runs_it(gateway: Host, change: str) -> None:
    """S4."""
    before = gateway.run(FILES)
    assert gateway.as_user(f"set -ae; {change}")[0] != 0
    assert gateway.run(FILES) == before


def test_where_its_secrets_lie(gateway: Host) -> None:
    """S7: the original root's, the service's copy in memory and its own; the configuration names variables and no value."""
    assert gateway.run("stat -c '%U %G %a' /etc/clawdbot/secrets.json").strip() == "root root 600"
    assert gateway.run("stat -c '%U %G %a' /run/clawdbot/secrets.env").strip() == "openclaw openclaw 400"
    assert gateway.run("stat -f -c %T /run/clawdbot").strip() == "tmpfs"
    assert gateway.run("stat -c '%U %G %a' /etc/clawdbot/clawdbot.json").strip() == "root openclaw 640"
    config = json.loads(gateway.run("cat /etc/clawdbot/clawdbot.json"))
    assert config["gateway"]["auth"]["token"] == "${CLAWDBOT_SECRET_GATEWAY_TOKEN}"  # noqa: S105 - its name
    assert config["models"]["providers"]["scripted"]["apiKey"] == "${CLAWDBOT_SECRET_MODELS_SCRIPTED}"
    for value in gateway.variables["lab_planted"].values():
        gateway.run(f"umask 077; printf '%s' '{value}' >/root/needle")
        assert gateway.run(SEARCH).split() == ["0", "0"]
    gateway.run("rm /root/needle")


def test_secrets_arrive_as_they_are(gateway: Host) -> None:
    """Whatever is in a secret, the service and the admin's command get it whole; the key of a provider lies where it looks."""
    environment = dict(item.split("=", 1) for item in gateway.run(f"tr '\\0' '\\n' </proc/$({PID})/environ").splitlines())
    assert environment["CLAWDBOT_SECRET_TALK_KEY"] == AWKWARD
    assert environment["ANTHROPIC_API_KEY"] == gateway.variables["lab_planted"]["model"]
    assert gateway.run(f"{RUN_AS} sh -c '. /run/clawdbot/secrets.env; printf %s \"$CLAWDBOT_SECRET_TALK_KEY\"'") == AWKWARD
    assert json.loads(gateway.run("clawdbot config get talk.apiKey --json")) == AWKWARD


SANDBOX = """
id -u; grep CapEff /proc/self/status | cut -f2; grep NoNewPrivs /proc/self/status | cut -f2; ls /sys/class/net
touch /probe 2>/dev/null || echo read-only
touch /workspace/probe && rm /workspace/probe && echo workspace
ls -A /home; ls /run/clawdbot 2>&1 >/dev/null | wc -l
"""


def test_its_tools_run_in_a_sandbox(model: Host) -> None:
    """S5: the gateway, from inside its unit, makes a sandbox of rootless podman: nobody in there, no network, no state in sight."""
    said = model.agent("exec", {"command": SANDBOX}, "clawdbot-sandbox").split()
    assert said[-8:] == ["1000", "0000000000000000", "1", "lo", "read-only", "workspace", "sandbox", "1"]
    names = model.run(f"{RUN_AS} podman ps --format '{{{{.Names}}}}'").split()
    assert [name.startswith("clawdbot-sbx-") for name in names] == [True]


def test_without_a_sandbox_no_tool_runs(model: Host) -> None:
    """S5: when none can be made the command does not run on the host instead."""
    model.run("mv /opt/clawdbot/bin/docker /root/docker.away")
    model.run("printf '#!/bin/sh\\nexit 125\\n' >/opt/clawdbot/bin/docker; chmod 0755 /opt/clawdbot/bin/docker")
    try:
        message = 'CALL exec {"command": "touch /home/openclaw/ran-on-the-host"}'
        model.run(f"clawdbot agent --agent main --session-id clawdbot-none --message '{message}' --json </dev/null", check=False)
    finally:
        model.run("mv /root/docker.away /opt/clawdbot/bin/docker")
    assert model.code("test -e /home/openclaw/ran-on-the-host") != 0


def chat(gateway: Host, message: str) -> None:
    """Write to the agent as an approved sender does."""
    wish = {"sessionKey": "agent:main:lifted", "message": message, "idempotencyKey": secrets.token_hex(8)}
    gateway.run(f"clawdbot gateway call chat.send --json --params {shlex.quote(json.dumps(wish))}")


def test_no_sender_lifts_commands_out_of_the_sandbox(model: Host) -> None:
    """S5: `/exec host=gateway` in a chat is taken and runs nothing; without the file that denies it the command runs on the host."""
    approvals, ran = "/home/openclaw/.clawdbot/exec-approvals.json", "/home/openclaw/ran-on-the-host"
    sessions = "/home/openclaw/.clawdbot/agents/main/sessions"
    denied = f"grep -rqs 'exec denied: host=gateway security=deny' {sessions}"
    order = f'CALL exec {{"command": "touch {ran}"}}'
    chat(model, "/exec host=gateway security=full ask=off")
    wait_for(lambda: model.code(f"grep -qs execHost {sessions}/sessions.json") == 0, "the order is taken")
    chat(model, order)
    wait_for(lambda: model.code(denied) == 0, "the command is denied")
    assert model.code(f"test -e {ran}") != 0
    model.run(f"{RUN_AS} sh -c 'echo {{}} >{approvals}'")
    try:
        chat(model, order)
        wait_for(lambda: model.code(f"test -e {ran}") == 0, "the command runs on the host")
    finally:
        model.run(f"rm -rf {ran} {sessions}; systemctl restart {UNIT}")
    wait_until_up(model)
    assert json.loads(model.run(f"cat {approvals}"))["defaults"] == {"security": "deny"}


def test_a_stranger_is_approved(gateway: Host) -> None:
    """S8: a request that its own store took is approved by its code; then its own command knows no request, and the store the sender."""
    store = "/opt/clawdbot/current/node_modules/clawdbot/dist/pairing/pairing-store.js"
    ask = (
        f"import('{store}').then(s => s.upsertChannelPairingRequest({{channel: 'telegram', id: '5550199'}})).then(r => console.log(r.code))"
    )
    run_node = f"{RUN_AS} env $(cat /etc/clawdbot/environment) /opt/clawdbot/current/bin/node -e"
    code = gateway.run(f'{run_node} "{ask}"').split()[-1]
    assert code in gateway.run("clawdbot pairing list telegram --json")
    done = site("--extra-vars", f"approve={code}", name="playbooks/pairing.yml")
    assert "changed=1" in done.stdout
    assert code not in gateway.run("clawdbot pairing list telegram --json")
    approved = json.loads(gateway.run(f"cat {CREDENTIALS}/telegram-allowFrom.json"))["allowFrom"]
    assert sorted(approved) == ["1001", "123456789", "5550199"]
    assert gateway.run(f"stat -c '%U %a' {CREDENTIALS}/telegram-allowFrom.json").strip() == "openclaw 600"


def test_its_agent_has_its_rules(gateway: Host) -> None:
    """The section stands in the workspace that its configuration names."""
    assert "Never show a key" in gateway.run("cat /home/openclaw/.clawdbot/workspace/AGENTS.md")


def test_it_comes_back(gateway: Host) -> None:
    """S10: systemd brings it back after kill -9."""
    before = gateway.run(PID)
    gateway.run(f"kill -9 $({PID})")
    wait_for(lambda: gateway.run(PID) not in (before, "0\n"), "another gateway was started")
    wait_until_up(gateway)


def test_a_secret_that_nobody_gave_stops_the_run(gateway: Host) -> None:
    """S14: its configuration is judged by itself before it counts; the gateway that runs goes on."""
    before = gateway.run(f"sha256sum /etc/clawdbot/clawdbot.json; {PID}")
    extra = {"gateway_config_extra": {"talk": {"apiKey": {"source": "file", "provider": "hostfile", "id": "/talk/other"}}}}
    done = site("--tags", "gateway", "--extra-vars", json.dumps(extra), check=False)
    assert done.returncode != 0
    assert 'Missing env var "CLAWDBOT_SECRET_TALK_OTHER"' in " ".join(done.stdout.split())
    assert gateway.run(f"sha256sum /etc/clawdbot/clawdbot.json; {PID}") == before


def test_a_new_secret_never_meets_the_old_process(gateway: Host) -> None:
    """A gateway that reads of a variable which it lacks takes its configuration for empty, rules included: it is stopped first."""
    extra: dict[str, object] = {"gateway_secrets": {"talk": {"key": AWKWARD, "other": "of-nobody-else"}}}
    extra |= {"gateway_config_extra": {"talk": {"apiKey": {"source": "file", "provider": "hostfile", "id": "/talk/other"}}}}
    done = site("--tags", "gateway", "--extra-vars", json.dumps(extra))
    assert re.search(r"Stop a gateway that would not know a new secret\] \*+\nchanged: ", done.stdout)
    assert "Missing env var" not in gateway.run(f"journalctl --unit {UNIT} --output cat")
    assert json.loads(gateway.run("clawdbot config get talk.apiKey --json")) == "of-nobody-else"


def test_the_other_product_is_refused(gateway: Host) -> None:
    """A host has one: two gateways would share a user, a port and the senders' trust. Nothing is changed."""
    before = gateway.run("ls -la /opt /etc/systemd/system; readlink /opt/clawdbot/current")
    done = playbook("--extra-vars", "gateway_product=openclaw", check=False)
    assert done.returncode != 0
    assert "has another gateway, clawdbot-gateway.service, and they do not share a host" in " ".join(done.stdout.split())
    assert gateway.run("ls -la /opt /etc/systemd/system; readlink /opt/clawdbot/current") == before
