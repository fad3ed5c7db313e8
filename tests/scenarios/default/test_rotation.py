"""playbooks/rotate.yml: the new value works, the old one does not and is nowhere on the host; what fails goes back."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab import limits
from tests.lab.gateway import NAME, UNIT, Host, playbook, wait_for

ROTATE = "playbooks/rotate.yml"
SECRETS = "/etc/openclaw/secrets.json"
# Asks the gateway's own API for a tool that it does not have, with the token in a file that root alone reads; prints the status.
ACCEPTED, REFUSED = ["404"], ["401"]
ASK = f"""
python3 - <<'PYTHON'
import urllib.error, urllib.request
head = {{"authorization": "Bearer " + open("/root/needle").read(), "content-type": "application/json"}}
ask = urllib.request.Request("http://127.0.0.1:18789/tools/invoke", b'{{"tool": "no_such_tool"}}', head)
try:
    print(urllib.request.urlopen(ask, timeout={limits.ANSWER}).status)
except urllib.error.HTTPError as error:
    print(error.code)
PYTHON
"""
# Files, journal, arguments and environments. The value comes from a file: as an argument the search would find itself.
SEARCH = """
grep -rlsFf /root/needle --exclude=needle --devices=skip /etc /home /root /run /srv /tmp /usr/local /var || true
journalctl --no-pager --output=cat | grep -cFf /root/needle || true
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -cFf /root/needle || true
"""


def token(gateway: Host) -> str:
    return str(json.loads(gateway.run(f"cat {SECRETS}"))["gateway"]["token"])


def with_needle(gateway: Host, value: str, script: str) -> list[str]:
    """Run a script that finds the value in /root/needle; return the words it prints."""
    gateway.run(f"umask 077; printf '%s' '{value}' >/root/needle")
    try:
        return gateway.run(script).split()
    finally:
        gateway.run("rm /root/needle")


def given(folder: Path, variables: Mapping[str, object]) -> list[str]:
    """The arguments that give a playbook variables, secrets among them."""
    file = folder / "variables.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(variables))
    return ["--extra-vars", f"@{file}"]


def rotate(tmp_path: Path, name: str, **variables: object) -> subprocess.CompletedProcess[str]:
    return playbook("-vvv", "--diff", *given(tmp_path, {"rotate": name, **variables}), name=ROTATE, check=False)


class Channel(NamedTuple):
    """A host with a channel, deployed by a verbose run that gave every kind of secret a new value."""

    variables: Callable[[str], dict[str, object]]  # of the channel with a token
    fresh: dict[str, str]
    said: str  # what the run printed


@pytest.fixture(scope="module")
def channel(gateway: Host, bot_api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channel]:
    """At the end all that was changed is back."""

    def variables(token: str) -> dict[str, object]:
        return {"gateway_channels": {"telegram": {"api_root": bot_api}}, "gateway_secrets": {"telegram": {"botToken": token}}}

    def deploy(wanted: Mapping[str, object], *arguments: str) -> str:
        done = playbook(*arguments, *given(tmp_path_factory.mktemp("channel"), wanted))
        return done.stdout + done.stderr

    before = json.loads(gateway.run(f"cat {SECRETS}"))
    fresh = {kind: f"planted-fresh-{secrets.token_hex(16)}" for kind in ("token", "model", "extra")}
    bot = f"1000:{secrets.token_hex(16)}"
    yield Channel(variables, {**fresh, "bot": bot}, deploy({**variables(bot), "lab_planted": fresh}, "-vvv", "--diff"))
    made = token(gateway)
    deploy({}, "--tags", "gateway")
    assert json.loads(gateway.run(f"cat {SECRETS}")) == before
    assert with_needle(gateway, before["gateway"]["token"], ASK) == ACCEPTED
    assert with_needle(gateway, made, SEARCH) == ["0", "0"]


def test_output_of_a_verbose_run_that_changes_secrets(gateway: Host, channel: Channel) -> None:
    """S7: with -vvv and --diff no value is in the output, old or new."""
    assert f"{NAME} : ok=" in " ".join(channel.said.split())
    old = {f"old {kind}": value for kind, value in gateway.variables["lab_planted"].items()}
    assert [kind for kind, value in {**channel.fresh, **old}.items() if value in channel.said] == []


@pytest.mark.parametrize("name", ["telegram/botToken", "../../root", ""])
def test_a_name_that_is_not_known(gateway: Host, tmp_path: Path, name: str) -> None:
    """S14: the known ones are listed, and the process that runs goes on running."""
    before = gateway.run(f"sha256sum {SECRETS}; systemctl show -p MainPID {UNIT}")
    done = rotate(tmp_path, name)
    assert done.returncode != 0
    assert "There are: gateway/token, models/anthropic, models/scripted." in " ".join(done.stdout.split())
    assert gateway.run(f"sha256sum {SECRETS}; systemctl show -p MainPID {UNIT}") == before


def test_the_token_of_a_channel(gateway: Host, bot_api: str, channel: Channel, tmp_path: Path) -> None:
    """The bot comes back with the new token, and the gateway is ready; the old one is nowhere on the host."""

    def comes_with(token: str) -> bool:
        asked = f"import urllib.request as u; print(u.urlopen('{bot_api}/test/token', timeout={limits.ANSWER}).read().decode())"
        return bool(json.loads(gateway.run(f'python3 -c "{asked}"')) == token)

    old, new = json.loads(gateway.run(f"cat {SECRETS}"))["telegram"]["botToken"], f"1002:{secrets.token_hex(16)}"
    wait_for(lambda: comes_with(old), "the bot comes with its token")
    done = rotate(tmp_path, "telegram/botToken", **channel.variables(new))
    assert done.returncode == 0, done.stdout[-2000:]
    wait_for(lambda: comes_with(new), "the bot comes with the new token")
    assert gateway.ready()
    assert with_needle(gateway, old, SEARCH) == ["0", "0"]
    assert [value for value in (old, new) if value in done.stdout + done.stderr] == []


@pytest.mark.usefixtures("channel")
def test_the_key_of_a_provider(gateway: Host, tmp_path: Path) -> None:
    """The key that the inventory has now is deployed, nothing else of it; the same key again is refused."""
    before = json.loads(gateway.run(f"cat {SECRETS}"))
    new = f"planted-fresh-{secrets.token_hex(16)}"
    planted = {**gateway.variables["lab_planted"], "model": new, "extra": "not deployed by the way"}
    done = rotate(tmp_path, "models/anthropic", lab_planted=planted)
    assert done.returncode == 0, done.stdout[-2000:]
    assert json.loads(gateway.run(f"cat {SECRETS}")) == {**before, "models": {**before["models"], "anthropic": new}}
    assert with_needle(gateway, before["models"]["anthropic"], SEARCH) == ["0", "0"]
    assert [value for value in (new, before["models"]["anthropic"]) if value in done.stdout + done.stderr] == []
    again = rotate(tmp_path, "models/anthropic", lab_planted=planted)
    assert again.returncode != 0
    assert "models/anthropic: the host has this value already" in again.stdout


@pytest.mark.usefixtures("channel")
def test_the_token(gateway: Host, tmp_path: Path) -> None:
    """A token that the host makes, and a rotation that fails; no value in any output. The fixture brings the inventory's token again."""
    old = token(gateway)
    assert with_needle(gateway, old, ASK) == ACCEPTED
    done = rotate(tmp_path, "gateway/token", gateway_token="")
    assert done.returncode == 0, done.stdout[-2000:]
    made = token(gateway)
    assert len(made) == 43
    assert with_needle(gateway, made, ASK) == ACCEPTED
    assert with_needle(gateway, old, ASK) == REFUSED
    assert with_needle(gateway, old, SEARCH) == ["0", "0"]
    said = done.stdout + done.stderr

    # A gateway that is not ready in a second counts as one that does not get ready.
    done = rotate(tmp_path, "gateway/token", gateway_ready_timeout=1)
    said += done.stdout + done.stderr
    assert done.returncode == 2
    assert "The gateway did not become ready" in done.stdout
    assert token(gateway) == made
    assert gateway.code(f"test -e {SECRETS}.previous") != 0
    gateway.wait_until_ready()
    assert with_needle(gateway, made, ASK) == ACCEPTED
    assert with_needle(gateway, old, ASK) == REFUSED
    assert [value for value in (old, made) if value in said] == []
