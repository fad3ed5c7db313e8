"""The policy at work: a real gateway with what the module makes of variables, in a network namespace without a way out. Replies count."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.real_gateway import Network, RealGateway, modules, wait_for
from tests.lab import ROOT
from tests.policy_cases import VARIABLES

CODE = re.compile(r"\b[A-HJ-NP-Z2-9]{8}\b")
# One Bot API for each account, so that it can be told which one a reply came by.
PORTS = {"default": 9912, "friends": 9913, "public": 9914, "closed": 9915}
ATTEMPTS = 4
FRIEND, OWNER, STRANGER, GROUP, OTHER_GROUP = 42, 43, 99, -7, -8
ELEVATED = 'CALL exec {"command": "echo outside", "elevated": true}'

POLICY: dict[str, Any] = {
    "access_people": {"ada": {"telegram": FRIEND}, "owner": {"telegram": OWNER}},
    "access_channels": {"telegram": {"accounts": {"friends": {"allow": ["ada", "owner"]}}}},
    "access_open_confirmed": ["telegram"],
    "gateway_channels": {
        "telegram": {
            "api_root": f"http://127.0.0.1:{PORTS['default']}",
            "group_policy": "allowlist",
            "groups": {str(GROUP): {}},
            "group_senders": ["ada"],
            "accounts": {
                "friends": {"api_root": f"http://127.0.0.1:{PORTS['friends']}", "dm_policy": "allowlist"},
                "public": {"api_root": f"http://127.0.0.1:{PORTS['public']}", "dm_policy": "open"},
                "closed": {"api_root": f"http://127.0.0.1:{PORTS['closed']}", "dm_policy": "disabled"},
            },
        }
    },
    "gateway_mention_patterns": ["\\bpot\\b"],
    "gateway_command_owners": ["telegram:owner"],
    "gateway_reload_mode": "hybrid",
    "gateway_model": "scripted/obedient",
    "gateway_model_providers": {"scripted": {"base_url": "http://127.0.0.1:9911/v1", "models": ["obedient"]}},
    "gateway_secrets": {
        "telegram": {
            "botToken": "100001:test-token-of-no-bot",
            **{name: {"botToken": f"10000{place}:test-token-of-no-bot"} for place, name in enumerate(("friends", "public", "closed"), 2)},
        }
    },
    "gateway_model_keys": {"scripted": "test-key-of-no-account"},
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    made = Network(folder, "lp-policy")
    environment = {"PATH": "/usr/bin:/bin"}
    made.start(folder / "model.log", [sys.executable, str(ROOT / "tests/lab/doubles/scripted_model.py")], environment)
    for port in PORTS.values():
        made.start(folder / "api.log", [sys.executable, str(ROOT / "tests/lab/doubles/fake_telegram.py"), str(port)], environment)
    yield made
    made.down()


def deploy(gateway: RealGateway, given: dict[str, Any]) -> None:
    """Write what the module makes of the variables, and the secrets, as the role does."""
    secrets = {**given["gateway_secrets"], "models": given["gateway_model_keys"], "gateway": {"token": "0123456789abcdef" * 2}}
    (gateway.folder / "secrets.json").write_text(json.dumps(secrets))
    (gateway.folder / "secrets.json").chmod(0o400)
    paths = {"secrets_file": str(gateway.folder / "secrets.json"), "log_file": str(gateway.folder / "gateway.log")}
    made = modules([("gateway_policy", {**VARIABLES, **given, **paths, "gateway_port": gateway.port})])[0]
    assert "config" in made, made
    # There is no podman where these tests run. What needs a sandbox is tested on hosts.
    made["config"]["agents"]["defaults"]["sandbox"]["mode"] = "off"
    (gateway.folder / "openclaw.new").write_text(json.dumps(made["config"]))
    (gateway.folder / "openclaw.new").rename(gateway.folder / "openclaw.json")


@pytest.fixture(scope="module")
def gateway(network: Network, tmp_path_factory: pytest.TempPathFactory) -> RealGateway:
    """It has deadlines of its own when it starts for the first time; where a busy machine misses one, another one starts anew."""
    folder = tmp_path_factory.mktemp("gateways")
    for attempt in range(ATTEMPTS):
        made = RealGateway("sqlite", folder / f"state-{attempt}", port=18889)
        deploy(made, POLICY)
        made.start(network)
        process = network.processes[-1]
        wait_for(lambda: process.poll() is not None or listening(made), "it listens or ends")  # noqa: B023 - used up before the next round
        if process.poll() is None:
            return made
    return pytest.fail(made.log.read_text()[-3000:])


def listening(gateway: RealGateway) -> bool:
    return gateway.log.read_text().count("starting provider (@lab_bot)") == len(PORTS)


class Chat:
    """One conversation by way of one account: with a person, or with a person in a group."""

    def __init__(self, network: Network, account: str, sender: int, chat: int = 0) -> None:
        self.network, self.sender, self.chat = network, sender, chat
        self.api = f"http://127.0.0.1:{PORTS[account]}"

    def sent(self) -> list[dict[str, Any]]:
        here = self.chat or self.sender
        return [message for message in self.network.fetch(f"{self.api}/test/sent") or [] if message["chat"] == here]

    def heard(self) -> list[str]:
        return [str(message["text"]) for message in self.sent() if message["method"] == "sendMessage"]

    def results(self) -> list[str]:
        """What came of tools; the bot may tell of its work first and put the result in that message's place."""
        return [str(message["text"]) for message in self.sent() if message["text"].startswith("RESULT ")]

    def writes(self, text: str) -> None:
        """Write, and see the bot take it."""
        self.network.fetch(f"{self.api}/test/say", {"sender": self.sender, "text": text, "chat": self.chat})
        wait_for(lambda: self.network.fetch(f"{self.api}/test/unread") == 0, "the bot takes the message")

    def says(self, text: str) -> str:
        """Write and return what the bot answers next."""
        before = len(self.heard())
        self.writes(text)
        wait_for(lambda: len(self.heard()) > before, f"the bot answers {text!r}")
        return self.heard()[before]

    def calls(self, order: str) -> str:
        """Have the model call a tool and return what came of it."""
        before = len(self.results())
        self.writes(order)
        wait_for(lambda: len(self.results()) > before, f"the bot answers {order!r}")
        return self.results()[before]


@pytest.fixture
def silence(network: Network) -> Any:
    """Write, then have somebody else be answered by the same gateway: the one before him got no answer."""

    def check(chat: Chat, text: str) -> None:
        before = chat.heard()
        chat.writes(text)
        assert Chat(network, "public", 1000 + len(text)).says("are you there?") == "OK"
        assert chat.heard() == before

    return check


@pytest.mark.usefixtures("gateway")
class TestDirectMessages:
    def test_pairing_answers_a_stranger_with_a_code(self, network: Network) -> None:
        """S8: and with nothing else."""
        assert CODE.search(Chat(network, "default", STRANGER).says("hello"))

    def test_allowlist_ignores_a_stranger_and_answers_a_friend(self, network: Network, silence: Any) -> None:
        """S8: the friend is the one of access_channels; approval lies in the configuration, not in the store."""
        silence(Chat(network, "friends", STRANGER), "hello")
        assert Chat(network, "friends", FRIEND).says("hello") == "OK"

    def test_open_answers_everybody(self, network: Network) -> None:
        assert Chat(network, "public", STRANGER).says("hello") == "OK"

    def test_disabled_answers_nobody(self, network: Network, silence: Any) -> None:
        silence(Chat(network, "closed", STRANGER), "hello")
        silence(Chat(network, "closed", OWNER), "hello again")

    def test_a_second_account_answers_by_itself(self, network: Network) -> None:
        """A message to one bot is answered by that bot and by no other."""
        others = [Chat(network, name, FRIEND) for name in PORTS if name != "friends"]
        before = [other.heard() for other in others]
        assert Chat(network, "friends", FRIEND).says("to you alone") == "OK"
        assert [other.heard() for other in others] == before


@pytest.mark.usefixtures("gateway")
class TestGroups:
    def test_a_mention_is_answered_and_nothing_else(self, network: Network, silence: Any) -> None:
        """By the channel's own way to mention somebody, and by a pattern."""
        chat = Chat(network, "default", FRIEND, GROUP)
        silence(chat, "has anybody seen my keys?")
        assert chat.says("@lab_bot have you?") == "OK"
        assert chat.says("you, pot, have you?") == "OK"

    def test_who_is_not_named_is_ignored(self, network: Network, silence: Any) -> None:
        silence(Chat(network, "default", STRANGER, GROUP), "@lab_bot hello")

    def test_a_group_that_is_not_named_is_ignored(self, network: Network, silence: Any) -> None:
        silence(Chat(network, "default", FRIEND, OTHER_GROUP), "@lab_bot hello there")


@pytest.mark.usefixtures("gateway")
class TestCommands:
    def test_an_owners_command_is_the_owners(self, network: Network) -> None:
        """Who may talk to the agent does not yet decide where its answers go."""
        assert Chat(network, "friends", OWNER).says("/send inherit") == "⚙️ Send policy set to inherit."
        assert "couldn't produce or deliver a reply" in Chat(network, "friends", FRIEND).says("/send inherit")

    def test_nobody_leaves_the_sandbox(self, network: Network) -> None:
        """Not the owner either."""
        for sender in (OWNER, FRIEND):
            assert "Failing gates: enabled (tools.elevated.enabled" in Chat(network, "friends", sender).calls(ELEVATED)


def take_up(gateway: RealGateway, **variables: Any) -> None:
    """Deploy the policy with other variables, and wait until the running gateway says that it took them up."""
    before = gateway.log.read_text().count("config hot reload applied")
    deploy(gateway, {**POLICY, **variables})
    wait_for(lambda: gateway.log.read_text().count("config hot reload applied") > before, "it takes the change up")


class TestWithoutARestart:
    """S12: a changed policy counts for the next message, and the process that answers is the same."""

    @pytest.fixture(autouse=True)
    def one_process(self, gateway: RealGateway, network: Network) -> Iterator[None]:
        yield
        assert network.processes[-1].poll() is None
        assert gateway.log.read_text().count("[gateway] ready") == 1

    def test_only_who_is_named_leaves_the_sandbox(self, gateway: RealGateway, network: Network) -> None:
        take_up(gateway, gateway_elevated_senders={"telegram": ["ada"]})
        assert Chat(network, "friends", FRIEND).calls(ELEVATED) == 'RESULT "outside"'
        assert "Failing gates: allowFrom (tools.elevated.allowFrom" in Chat(network, "friends", OWNER).calls(ELEVATED)

    def test_one_channel(self, gateway: RealGateway, network: Network) -> None:
        """A group that is named from now on."""
        telegram = POLICY["gateway_channels"]["telegram"]
        take_up(gateway, gateway_channels={"telegram": {**telegram, "groups": {str(GROUP): {}, str(OTHER_GROUP): {}}}})
        assert Chat(network, "default", FRIEND, OTHER_GROUP).says("@lab_bot and now?") == "OK"
