"""The modules against the real gateways of every store format, running, in a network namespace without a way out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.real_gateway import TOKEN, Network, RealGateway, module, wait_for
from tests.lab import ROOT

KINDS = ("sqlite", "scoped", "unscoped")
CODE = re.compile(r"\b[A-HJ-NP-Z2-9]{8}\b")
# Where each gateway's fake Bot API listens. Clawdbot knows only the real name, by TLS.
API = {"sqlite": "http://127.0.0.1:9912", "scoped": "http://127.0.0.1:9913", "unscoped": "https://api.telegram.org"}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    made = Network(folder)
    doubles = ROOT / "tests/lab/doubles"
    environment = {"PATH": "/usr/bin:/bin"}
    made.start(folder / "model.log", [sys.executable, str(doubles / "scripted_model.py")], environment)
    for arguments in (["9912"], ["9913"], ["443", str(made.certificate), str(made.key)]):
        made.start(folder / "api.log", [sys.executable, str(doubles / "fake_telegram.py"), *arguments], environment)
    yield made
    made.down()


@pytest.fixture(scope="module")
def running(network: Network, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RealGateway]:
    """All three, started together."""
    folder = tmp_path_factory.mktemp("gateways")
    gateways = {kind: RealGateway(kind, folder / kind, port=18789 + 20 * place) for place, kind in enumerate(KINDS)}
    for kind, gateway in gateways.items():
        gateway.configure(API[kind])
        gateway.start(network)
    return gateways


@pytest.fixture(params=KINDS)
def gateway(request: pytest.FixtureRequest, running: dict[str, RealGateway]) -> RealGateway:
    found = running[request.param]
    wait_for(
        lambda: "starting provider (@lab_bot)" in found.log.read_text(),
        f"{found.kind} listens to Telegram\n{found.log.read_text()[-2000:]}",
    )
    return found


class Person:
    """Somebody who writes to the bot of one gateway."""

    def __init__(self, network: Network, gateway: RealGateway, number: int) -> None:
        self.network, self.api, self.number = network, API[gateway.kind], number

    def heard(self) -> list[str]:
        sent = self.network.fetch(f"{self.api}/test/sent") or []
        return [str(message["text"]) for message in sent if message["chat"] == self.number and message["method"] == "sendMessage"]

    def says(self, text: str) -> str:
        """Write to the bot and return what it answers next."""
        before = len(self.heard())
        self.network.fetch(f"{self.api}/test/say", {"sender": self.number, "text": text})
        wait_for(lambda: len(self.heard()) > before, f"the bot answers {self.number}")
        return self.heard()[before]


def test_a_stranger_is_let_in_and_sent_away_again(gateway: RealGateway, network: Network) -> None:
    """S8, live: challenged, approved by the module, answered, removed by the module, challenged again; nothing is restarted."""
    stranger = Person(network, gateway, 4242)
    challenge = stranger.says("hello")
    code = CODE.search(challenge)
    assert code, challenge
    assert module("gateway_pairing_info", gateway)["channels"]["telegram"]["default"]["pending"][0]["sender"] == "4242"
    assert module("gateway_pairing", gateway, code=code[0])["sender"] == "4242"
    assert stranger.says("again") == "OK"
    assert module("gateway_allowlist", gateway, channel="telegram", entries=["tg:4242"], state="absent")["removed"] == ["4242"]
    assert "access not configured" in stranger.says("and again")


def test_each_sees_what_the_other_writes(gateway: RealGateway) -> None:
    """What the module does its command line shows; what its command line and its store do the module shows."""
    gateway.ask("11", "12")  # with the one who was sent away: three is the most that may wait
    assert module("gateway_pairing", gateway, channel="telegram", sender="11")["changed"] is True
    gateway.ask("13")
    assert module("gateway_pairing", gateway, channel="telegram", sender="13", state="dismissed")["changed"] is True
    listed = gateway.requests()
    assert [request["id"] for request in listed if request["id"] != "4242"] == ["12"]
    done = gateway.cli("pairing", "approve", "telegram", next(request["code"] for request in listed if request["id"] == "12"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert gateway.approved() == ["11", "12"]
    found = module("gateway_pairing_info", gateway)["channels"]["telegram"]["default"]
    assert (found["approved"], found["suspicious"]) == (["11", "12"], [])
    assert module("gateway_allowlist", gateway, channel="telegram", entries=["12", "14"], state="exact")["after"] == ["12", "14"]
    assert gateway.approved() == ["12", "14"]
    account = {} if gateway.kind == "unscoped" else {"accountId": "default"}
    gateway.store(("removeChannelAllowFromStoreEntry", {"channel": "telegram", "entry": "12", **account}))
    result = module("gateway_allowlist", gateway, channel="telegram", entries=[], state="exact")
    assert (result["before"], gateway.approved()) == (["14"], [])


def test_senders_survive_the_gateways_own_migration(tmp_path: Path) -> None:
    """2026.7.35's files, written by the module, carried over by `openclaw doctor --fix` of 2026.9.6: the module sees the same senders."""
    old = RealGateway("scoped", tmp_path / "state")
    config = json.loads((old.folder / "openclaw.json").read_text())
    config["channels"]["telegram"]["accounts"] = {"work": {"botToken": TOKEN.replace("1", "2")}}  # doctor leaves accounts it does not know
    (old.folder / "openclaw.json").write_text(json.dumps(config))
    module("gateway_allowlist", old, channel="telegram", entries=["1", "2"])
    old.ask("3")
    module("gateway_allowlist", old, channel="telegram", account="work", entries=["4"])
    before = senders(module("gateway_pairing_info", old))
    assert before == {"default": (["1", "2"], ["3"]), "work": (["4"], [])}
    new = RealGateway("sqlite", tmp_path / "new").on(old.folder)
    del new.environment["OPENCLAW_CONFIG_READONLY"]  # with it, doctor changes nothing at all
    done = new.cli("doctor", "--fix", "--yes", "--non-interactive")
    assert module("gateway_pairing_info", new)["store"] == "sqlite", done.stdout[-2000:] + done.stderr[-1000:]
    assert senders(module("gateway_pairing_info", new)) == before


def senders(report: dict[str, Any]) -> dict[str, tuple[list[str], list[str]]]:
    accounts = report["channels"]["telegram"]
    return {name: (found["approved"], [request["sender"] for request in found["pending"]]) for name, found in accounts.items()}
