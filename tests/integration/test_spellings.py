"""Spellings of senders: whom the gateway's own channels let in by an entry, and what the modules make of it."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import ansible.module_utils
import pytest

from tests.integration.real_gateway import RealGateway
from tests.integration.test_plugin_channels import CHANNELS, pinned_plugins
from tests.lab import ROOT, limits

ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.lobsterpot.senders import canonical, doubt, plan  # noqa: E402 - it lies on the path since the line above

SPELLINGS = json.loads((ROOT / "tests" / "integration" / "spellings.json").read_text())
ASKED, FEWEST = 3000, 50


class Channels:
    """The matchers of the gateway and of its plugins."""

    def __init__(self, gateway: RealGateway, plugins: Path) -> None:
        self._gateway = gateway
        script = str(ROOT / "tests" / "integration" / "real_senders.mjs")
        self._command = [*gateway.node, script, str(gateway.package), str(plugins)]

    def let_in(self, asked: list[tuple[str, str, str]]) -> list[bool]:
        """Whether an entry of the store lets a sender in, for each channel, entry and sender."""
        done = subprocess.run(
            self._command,
            check=False,
            capture_output=True,
            text=True,
            env=self._gateway.environment,
            input=json.dumps(asked),
            timeout=limits.GATEWAY,
        )
        assert done.returncode == 0, done.stderr[-1500:]
        return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Channels:
    folder = tmp_path_factory.mktemp("release")
    gateway = RealGateway("sqlite", folder / "state")
    (folder / "node_modules").symlink_to(gateway.release / "node_modules")
    pinned_plugins(folder)
    plugins = folder / "by-channel"
    plugins.mkdir()
    for channel in CHANNELS:
        (package,) = folder.glob(f"npm/**/@openclaw/{channel}")
        (plugins / channel).symlink_to(package)
    return Channels(gateway, plugins)


def test_the_table_is_what_the_gateway_does(channels: Channels) -> None:
    """Each spelling of the table, answered by the real matcher of its channel; 20 or more a channel."""
    rows = [row for row in SPELLINGS if row["channel"] in {"telegram", *CHANNELS}]
    answers = channels.let_in([(row["channel"], row["entry"], row["sender"]) for row in rows])
    assert [{**row, "lets_in": answer} for row, answer in zip(rows, answers, strict=True)] == rows


def test_whoever_is_let_in_can_be_revoked_and_whoever_is_accepted_is_let_in(channels: Channels) -> None:
    """Property, on texts put together at random: what lets a sender in is taken by `absent` of that sender; a form of ours lets in."""
    chosen = random.Random(20260906)  # noqa: S311 - the same texts each time
    asked = []
    for _ in range(ASKED):
        row = chosen.choice([row for row in SPELLINGS if row["channel"] in {"telegram", *CHANNELS}])
        other = chosen.choice([each for each in SPELLINGS if each["channel"] == row["channel"]])
        asked.append((row["channel"], changed(row["entry"], chosen), other["sender"]))
    for (channel, entry, sender), lets_in in zip(asked, channels.let_in(asked), strict=True):
        if lets_in:
            assert plan("absent", channel, [entry], [canonical(channel, sender)]).after == (), (channel, entry, sender)
    accepted = [(channel, canonical(channel, entry), sender) for channel, entry, sender in asked if not doubt(channel, entry)]
    ours = [item for item in accepted if item[1] == canonical(item[0], item[2])]
    assert len(ours) >= FEWEST
    assert all(channels.let_in(ours))


def changed(text: str, chosen: random.Random) -> str:
    """A text with something put in, taken away, in front of it, or in other letters."""
    place = chosen.randrange(len(text) + 1)
    front = chosen.choice(["", "", " ", "tg:", "user:", "uuid:", "imessage:", "slack:", "<@", "tel:", "+", "0", "group:"])
    inside = chosen.choice(["", "", "", " ", "-", "/", ".", ":", "a", "0", "@", "\u00a0", "\u0661"])
    made = front + text[:place] + inside + text[place:]
    return chosen.choice([made, made, made.upper(), made.lower(), made[:-1]])
