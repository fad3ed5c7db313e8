"""The configurations that the policy comes to, judged by the real gateways that they are for."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest

from tests.integration.real_gateway import RealGateway
from tests.lab import ROOT, limits
from tests.policy_cases import CASES, CLAWDBOT, CLAWDBOT_DEFAULT, DEFAULT, DOORS, EXPANDED, HARMLESS, POLICIES, VARIABLES

ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.lobsterpot.agents import PROVIDERS  # noqa: E402 - it lies on the path since the line above
from ansible.module_utils.lobsterpot.literal import literal  # noqa: E402
from ansible.module_utils.lobsterpot.policy import merge, policy  # noqa: E402

OPENCLAW = [{**DEFAULT, **differs} for _, differs in (CASES | POLICIES).values()]
# All that each gateway shall accept.
KINDS = {"sqlite": OPENCLAW, "previous": OPENCLAW, "unscoped": [{**CLAWDBOT_DEFAULT, **differs} for _, differs in CLAWDBOT.values()]}


# What it says of the plugins of channels, which lie in a host's release and not here. It knows what may stand in a channel without them.
ELSEWHERE = re.compile(r"plugin not installed: (whatsapp|signal|imessage|discord|slack)\b")


def judged(gateway: RealGateway, configs: list[dict[str, Any]]) -> list[list[str]]:
    """What the gateway says of each, errors and warnings."""
    command = [*gateway.node, str(ROOT / "tests" / "integration" / "real_validation.mjs"), str(gateway.package)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=gateway.environment, input=json.dumps(configs), timeout=limits.GATEWAY
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [[word for word in words if not ELSEWHERE.search(word)] for words in json.loads(done.stdout)]


@pytest.fixture(params=KINDS)
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> RealGateway:
    return RealGateway(request.param, tmp_path / "state")


def test_every_configuration_is_accepted(gateway: RealGateway) -> None:
    """Each case of the table, every combination of DM policy and group policy on every channel among them: no error, no warning."""
    found = judged(gateway, KINDS[gateway.kind])
    assert [(config, words) for config, words in zip(KINDS[gateway.kind], found, strict=True) if words] == []


def test_what_is_wrong_is_not_accepted(gateway: RealGateway) -> None:
    """The judge judges: an unknown key, an open policy without its star, an allowlist with nobody on it."""
    wrong: list[dict[str, Any]] = [
        {"unknown": True},
        {"channels": {"telegram": {"dmPolicy": "open"}}},
        {"channels": {"telegram": {"dmPolicy": "friends"}}},
        {"channels": {"slack": {"dmPolcy": "pairing"}}},
    ]
    assert [bool(words) for words in judged(gateway, [{**KINDS[gateway.kind][0], **part} for part in wrong])] == [True, True, True, True]


def test_text_is_read_as_it_stands_in_the_inventory(gateway: RealGateway) -> None:
    """S7: the gateway's own expansion gives back what the inventory says, wherever it says it, and never the variable's value."""
    products = {"gateway_product": gateway.product}
    configs = [policy({**VARIABLES, **given, **products, "gateway_command_owners": []})[0] for given, _, _ in EXPANDED.values()]
    secrets = {"HOME": "/expanded", "CLAWDBOT_SECRET_GATEWAY_TOKEN": "of the token", "CLAWDBOT_SECRET_TELEGRAM_BOTTOKEN": "of the bot"}
    read = gateway.function("resolveConfigEnvVars", [[config, secrets] for config in configs])
    text = json.dumps(read)
    assert "/expanded" not in text
    assert text.count("${HOME}") == json.dumps(configs).count("$${HOME}")
    assert "$$${HOME}" not in text


def test_an_unescaped_text_is_expanded(gateway: RealGateway) -> None:
    """Why it is escaped, and that the escape is the gateway's."""
    texts = ["a${HOME}b", "a$${HOME}b", "$$${HOME}", "${${HOME}}", "$HOME", "${home}"]
    expanded = ["a/expandedb", "a${HOME}b", "$${HOME}", "${/expanded}", "$HOME", "${home}"]
    assert gateway.function("resolveConfigEnvVars", [[{"x": texts}, {"HOME": "/expanded"}]]) == [{"x": expanded}]


def test_every_text_is_read_back(gateway: RealGateway) -> None:
    """Texts at random, the same in each run: escaped by the code and read by the gateway they are what they were."""
    choice = random.Random(19)  # noqa: S311 - nothing secret
    texts = ["".join(choice.choices(["$", "{", "}", "HOME", "A_1", "a", "${HOME}", "$${HOME}", "\n"], k=8)) for _ in range(5000)]
    assert gateway.function("resolveConfigEnvVars", [[literal(texts), {"HOME": "/expanded"}]]) == [texts]


def test_doors_are_doors(tmp_path: Path) -> None:
    """The gateway itself takes each without a word, so nobody but the policy would say one; what is harmless can be written at all."""
    gateway = RealGateway("sqlite", tmp_path / "state")
    extras = {name: extra for name, (extra, _) in DOORS.items()} | HARMLESS
    found = judged(gateway, [merge(DEFAULT, extra) for extra in extras.values()])
    assert {name: words for name, words in zip(extras, found, strict=True) if words} == {}


@pytest.mark.parametrize("kind", ["sqlite", "previous"])
def test_providers_that_need_no_address(kind: str, tmp_path: Path) -> None:
    """Why a key for another one is refused before a host is touched: the gateway refuses it when it starts."""
    gateway = RealGateway(kind, tmp_path / "state")
    key = {"apiKey": {"source": "file", "provider": "hostfile", "id": "/x"}}
    configs = [{**DEFAULT, "models": {"providers": {name: key}}} for name in (*PROVIDERS, "antropic")]
    refused = [words for words in judged(gateway, configs) if words]
    assert len(refused) == 1
    assert refused[0][0].startswith("models.providers.antropic.baseUrl: custom model providers must declare baseUrl")


def test_addresses_that_are_none(tmp_path: Path) -> None:
    """Why they are refused before a host is touched, too."""
    gateway = RealGateway("sqlite", tmp_path / "state")
    wrong: list[dict[str, Any]] = [
        {"channels": {"telegram": {"apiRoot": "//"}}},
        {"channels": {"signal": {"transport": {"kind": "external-native", "url": "no"}}}},
        {"proxy": {"proxyUrl": " "}},
        {"proxy": {"proxyUrl": "socks5://127.0.0.1:3128"}},
    ]
    assert [bool(words) for words in judged(gateway, [{**DEFAULT, **part} for part in wrong])] == [True, True, True, True]
