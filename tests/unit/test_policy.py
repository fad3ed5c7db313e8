# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's policy: variables in, exact configuration out, and all that is wrong in one message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible.module_utils.lobsterpot.agents import notes
from ansible.module_utils.lobsterpot.policy import environment, policy
from jinja2 import ChainableUndefined, Environment

from tests.policy_cases import CASES, CLAWDBOT, CLAWDBOT_DEFAULT, DEFAULT, DOORS, EXPANDED, HARMLESS, POLICIES, VARIABLES, Case

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule

PROJECT = Path(__file__).parents[2]
ALL = CASES | POLICIES
TELEGRAM = {"gateway_secrets": {"telegram": {"botToken": "test-one-of-no-bot"}}}


def variables(**given: Any) -> dict[str, Any]:
    return {**VARIABLES, **given}


def telegram(**wishes: Any) -> dict[str, Any]:
    return {"gateway_channels": {"telegram": wishes}, **TELEGRAM}


@pytest.mark.parametrize("case", ALL.values(), ids=ALL.keys())
def test_variables_in_configuration_out(case: Case) -> None:
    """The whole configuration, key by key, and nothing to complain of."""
    given, differs = case
    config, problems = policy(variables(**given))
    assert problems == []
    assert config == {**DEFAULT, **differs}


@pytest.mark.parametrize("case", CLAWDBOT.values(), ids=CLAWDBOT.keys())
def test_the_same_variables_for_clawdbot(case: Case) -> None:
    """The whole configuration in the words of clawdbot."""
    given, differs = case
    config, problems = policy(variables(**given, gateway_product="clawdbot"))
    assert problems == []
    assert config == {**CLAWDBOT_DEFAULT, **differs}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"gateway_command_owners": ["telegram:42"]}, "gateway_command_owners: clawdbot knows no such thing."),
        ({"gateway_plugins": ["memory-core"]}, "gateway_plugins: clawdbot knows no such thing."),
        ({"gateway_session_scope": "per-account-channel-peer"}, "gateway_session_scope: clawdbot knows no such thing."),
        ({"proxy_url": "http://127.0.0.1:3128"}, "egress_mode: allowlist goes by a proxy, and clawdbot knows no such thing."),
        (
            {"gateway_channels": {"telegram": {"api_root": "https://example.org"}}, **TELEGRAM},
            "gateway_channels.telegram.api_root: clawdbot knows only Telegram's own address.",
        ),
        (
            {
                "gateway_channels": {
                    "signal": {
                        "number": "+15550100",
                        "server": "http://s.example",
                        "group_policy": "allowlist",
                        "group_senders": ["+15550101"],
                    }
                }
            },
            "gateway_channels.signal.group_policy: clawdbot cannot wait for a mention on Signal.",
        ),
        ({"gateway_runtime": "container"}, "gateway_runtime: that was tried with openclaw alone."),
        ({"gateway_reload_mode": "hybrid"}, "gateway_reload_mode: it does not tell what it runs with."),
        ({"gateway_model_keys": {"rack": "test-key-of-no-account"}}, "gateway_model_keys.rack: clawdbot does not know this provider."),
        (
            {"access_channels": {"telegram": {"accounts": {"work": {"allow": ["42"]}}}}},
            "access_channels.telegram.accounts.work: clawdbot keeps no accounts apart.",
        ),
        (
            {"gateway_secrets": {"a-b": "test-one-of-no-bot", "a_b": "test-two-of-no-bot"}},
            "gateway_secrets: clawdbot tells /a-b and /a_b not apart.",
        ),
    ],
)
def test_what_clawdbot_lacks_is_refused(given: dict[str, Any], line: str) -> None:
    """A policy that it cannot keep is not left out in silence."""
    _, problems = policy(variables(**given, gateway_product="clawdbot"))
    assert [problem for problem in problems if line in problem], problems


def test_secrets_of_clawdbot_come_by_its_environment() -> None:
    """Each secret that its configuration refers to, by the variable's name, and the key of a provider that it knows; no other."""
    given = variables(
        gateway_product="clawdbot",
        gateway_model_keys={"anthropic": "test-key-of-no-account", "google": "test-key-of-no-other"},
        gateway_secrets={"telegram": {"botToken": "test-one-of-no-bot"}, "spare": "test-of-no-use"},
        gateway_channels={"telegram": {}},
    )
    assert environment(policy(given)[0], given) == {
        "ANTHROPIC_API_KEY": "/models/anthropic",
        "CLAWDBOT_SECRET_GATEWAY_TOKEN": "/gateway/token",
        "CLAWDBOT_SECRET_TELEGRAM_BOTTOKEN": "/telegram/botToken",
        "GEMINI_API_KEY": "/models/google",
    }
    given["gateway_product"] = "openclaw"
    assert environment(policy(given)[0], given) == {}


@pytest.mark.parametrize(("given", "path", "text"), EXPANDED.values(), ids=EXPANDED.keys())
def test_text_is_not_expanded(given: dict[str, Any], path: tuple[str, ...], text: object) -> None:
    """S7: no variable of the gateway's environment comes into its configuration by way of the inventory's text."""
    value: Any = policy(variables(**given))[0]
    for key in path:
        value = value[key]
    assert value == text


def test_text_is_not_expanded_by_clawdbot() -> None:
    """S7: whose environment holds the secrets: only references become variables."""
    given = variables(
        gateway_product="clawdbot",
        gateway_mention_patterns=["pot${CLAWDBOT_SECRET_SPARE}"],
        gateway_model_providers={"rack": {"base_url": "http://192.0.2.10/${CLAWDBOT_SECRET_GATEWAY_TOKEN}", "models": ["m"]}},
        gateway_secrets={"spare": "test-of-no-use"},
        gateway_config_extra={"ui": {"assistant": {"name": "${CLAWDBOT_SECRET_SPARE}"}}},
    )
    config, problems = policy(given)
    assert problems == []
    assert config["messages"]["groupChat"]["mentionPatterns"] == ["pot$${CLAWDBOT_SECRET_SPARE}"]
    assert config["models"]["providers"]["rack"]["baseUrl"] == "http://192.0.2.10/$${CLAWDBOT_SECRET_GATEWAY_TOKEN}"
    assert config["ui"]["assistant"]["name"] == "$${CLAWDBOT_SECRET_SPARE}"
    assert config["gateway"]["auth"]["token"] == "${CLAWDBOT_SECRET_GATEWAY_TOKEN}"  # noqa: S105 - its name
    assert environment(config, given) == {"CLAWDBOT_SECRET_GATEWAY_TOKEN": "/gateway/token"}


def test_every_variable_has_a_case() -> None:
    """Each variable that changes the configuration is set by some case above."""
    no_part_of_it = {
        "account_home",
        "gateway_agent_rules",
        "gateway_product",
        "gateway_keep_releases",
        "gateway_memory_max",
        "gateway_token",
        "log_file",
        "secrets_file",
    }
    assert {name for given, _ in ALL.values() for name in given} == set(VARIABLES) - no_part_of_it


def test_the_role_passes_every_variable(run_module: RunModule) -> None:
    """The task of the role names each option of the module; the module's defaults are those of the roles."""
    tasks = yaml.safe_load((PROJECT / "roles/gateway/tasks/policy.yml").read_text())
    passed = next(task["gateway_policy"] for task in tasks if "gateway_policy" in task)
    assert set(passed) == {*VARIABLES, "egress_domains", "egress_exceptions", "egress_mode", "unknown_variables"}
    required = {name: VARIABLES[name] for name in ("account_home", "log_file", "secrets_file")}
    assert run_module("gateway_policy", required)["config"] == DEFAULT


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"gateway_channels": {"telegramm": {}}}, "gateway_channels.telegramm: unknown, did you mean telegram?"),
        (telegram(dm_polcy="open"), "gateway_channels.telegram.dm_polcy: unknown, did you mean dm_policy?"),
        (
            telegram(accounts={"work": {"dmpolicy": "open"}}),
            "gateway_channels.telegram.accounts.work.dmpolicy: unknown, did you mean dm_policy?",
        ),
        (telegram(accounts={"a/b": {}}), "gateway_channels.telegram.accounts.a/b: account: 'a/b' is no account."),
        (telegram(groups={"-7": {"mention": False}}), "gateway_channels.telegram.groups.-7.mention: unknown"),
        (telegram(groups={"1001234567890": {}}), "gateway_channels.telegram.groups: '1001234567890' is no group of telegram."),
        (telegram(groups={"-7": {}, -7: {}}), "gateway_channels.telegram.groups: -7 is named twice, as a text and as a number."),
        (telegram(groups={"-7": None}), "gateway_channels.telegram.groups.-7: must be settings such as {require_mention: false}."),
        ({"gateway_channels": {"slack": {"groups": {"#general": {}}}}}, "gateway_channels.slack.groups: '#general' is no group of slack."),
        ({"gateway_channels": {"whatsapp": {"groups": {"ada": {}}}}}, "gateway_channels.whatsapp.groups: 'ada' is no group of whatsapp."),
        (telegram(accounts={"work": {}, "Work": {}}), "gateway_channels.telegram.accounts: work is named twice, in two spellings."),
        (
            {
                "gateway_channels": {
                    "discord": {"group_policy": "allowlist", "group_senders": ["12345"], "groups": {"77": {"channels": ["#x"]}}}
                }
            },
            "gateway_channels.discord.groups.77.channels: '#x' is no channel of a guild.",
        ),
        ({"gateway_elevated_senders": {"slack": ["#general"]}}, "gateway_elevated_senders.slack: '#general' is no sender of slack"),
        (
            {"access_channels": {"telegram": {"accounts": {"default": {"allow": ["@ada"]}}}}, **telegram(dm_policy="disabled")},
            "access_channels.telegram.accounts.default.allow: '@ada' is no sender of telegram",
        ),
        (
            {"access_channels": {"signal": {"accounts": {"default": {"allow": [15551234567]}}}}, **telegram()},
            "access_channels.signal.accounts.default.allow: 15551234567 is a number to YAML, which drops a + and zeros in front. "
            "Put it in quotes: '+15551234567'.",
        ),
        (telegram(botToken="x"), "gateway_channels.telegram.botToken: would lie here as plain text."),
        ({"gateway_channels": {"telegram": {}}}, "gateway_channels.telegram: needs a secret: set gateway_secrets.telegram.botToken"),
        (
            telegram(accounts={"work": {}}),
            "gateway_channels.telegram.accounts.work: needs a secret: set gateway_secrets.telegram.work.botToken",
        ),
        ({"gateway_channels": {"signal": {"number": "+15550100"}}}, "gateway_channels.signal: needs server."),
        ({"gateway_channels": {"telegram": "on"}}, "gateway_channels.telegram: must be settings such as {dm_policy: pairing}."),
        (telegram(dm_policy="friends"), "gateway_channels.telegram.dm_policy: 'friends' is none of pairing, allowlist, open, disabled."),
        (telegram(dm_policy="open"), "gateway_channels.telegram.dm_policy: open lets anybody give orders"),
        (telegram(group_policy="open"), "gateway_channels.telegram.group_policy: open lets anybody give orders"),
        (
            telegram(accounts={"work": {"dm_policy": "open"}}),
            "gateway_channels.telegram.accounts.work.dm_policy: open lets anybody give orders",
        ),
        ({"access_open_confirmed": ["telegam"]}, "access_open_confirmed.telegam: unknown, did you mean telegram?"),
        (telegram(dm_policy="allowlist"), "gateway_channels.telegram.dm_policy: allowlist with nobody on it."),
        (telegram(group_policy="allowlist"), "gateway_channels.telegram.group_policy: allowlist with nobody on it."),
        (telegram(group_senders=["1"]), "gateway_channels.telegram.group_policy: is disabled, and groups or group_senders are named."),
        (
            {"gateway_channels": {"discord": {"group_policy": "allowlist", "group_senders": ["12345"]}}, "gateway_secrets": {}},
            "gateway_channels.discord.groups: name the guilds of discord",
        ),
        (telegram(group_policy="allowlist", group_senders=["*"]), "gateway_channels.telegram.group_senders: '*' lets everybody in."),
        (
            telegram(group_policy="allowlist", group_senders=["@ada"]),
            "gateway_channels.telegram.group_senders: '@ada' is no sender of telegram: the gateway never matches it.",
        ),
        (
            telegram(group_policy="allowlist", group_senders=["eve"]),
            "gateway_channels.telegram.group_senders: there is nobody called 'eve'",
        ),
        (telegram(require_mention="perhaps"), "gateway_channels.telegram.require_mention: 'perhaps' is neither true nor false."),
        ({"access_channels": {"telegram": {"accounts": {"default": {"allow": ["eve"]}}}}, **telegram()}, "there is nobody called 'eve'"),
        ({"gateway_command_owners": ["somebody"]}, "gateway_command_owners: 'somebody' must be CHANNEL:SENDER"),
        ({"gateway_command_owners": ["telegram:*"]}, "gateway_command_owners: '*' lets everybody in."),
        (
            {"gateway_command_owners": ["telegram:-7"]},
            "gateway_command_owners: '-7' is no sender of telegram: the gateway never matches it.",
        ),
        ({"gateway_elevated_senders": {"telegram": ["*"]}}, "gateway_elevated_senders.telegram: '*' lets everybody in."),
        ({"gateway_elevated_senders": {"telegarm": ["1"]}}, "gateway_elevated_senders.telegarm: unknown, did you mean telegram?"),
        ({"gateway_mention_patterns": ["[a"]}, "gateway_mention_patterns: '[a' lacks a ]. The gateway reads it as JavaScript does"),
        ({"gateway_mention_patterns": ["pot", "(?i)bot"]}, "gateway_mention_patterns: '(?i)bot' has flags of its own"),
        ({"gateway_secrets": {"telegram": {"botToken": ""}}}, "/telegram/botToken: the secret is empty or no text"),
        ({"gateway_secrets": {"telegram": {"botToken": "replace-me-with-the-token"}}}, "/telegram/botToken: is a placeholder"),
        ({"gateway_model_keys": {"anthropic": "xxxxxxxxxxxx"}}, "/models/anthropic: is a placeholder"),
        ({"gateway_model_keys": {"anthropic": "abc"}}, "/models/anthropic: is a placeholder or shorter than 8 characters."),
        ({"gateway_secrets": {"x": "per-channel-peer"}}, "/x: stands in the configuration as plain text too."),
        ({"gateway_token": "abcdefgh"}, "gateway_token: is too weak"),
        ({"gateway_token": "ab" * 20}, "gateway_token: is too weak"),
        ({"sandbox_mounts": {"/": "/all"}}, "sandbox_mounts./: must be the absolute path of a folder"),
        ({"sandbox_mounts": {"/srv/../root": "/x"}}, "sandbox_mounts./srv/../root: must be the absolute path of a folder"),
        ({"sandbox_mounts": {"srv": "/x"}}, "sandbox_mounts.srv: must be the absolute path of a folder"),
        ({"sandbox_mounts": {"/srv:/etc": "/x"}}, "sandbox_mounts./srv:/etc: must be the absolute path of a folder"),
        ({"sandbox_mounts": {"//etc": "/x"}}, "sandbox_mounts.//etc: must be the absolute path of a folder"),
        ({"sandbox_mounts": {"/home/ada/.ssh": "/keys"}}, "sandbox_mounts./home/ada/.ssh: would show the system, a home"),
        ({"sandbox_mounts": {"/run/user/1000": "/x"}}, "sandbox_mounts./run/user/1000: would show the system, a home"),
        (
            {"account_home": "/srv/agent", "sandbox_mounts": {"/srv/agent/x": "/x"}},
            "sandbox_mounts./srv/agent/x: would show the system, a home",
        ),
        ({"account_home": "/srv/agent", "sandbox_mounts": {"/srv": "/x"}}, "sandbox_mounts./srv: would show the system, a home"),
        ({"sandbox_mounts": {"/srv/x": "/etc"}}, "sandbox_mounts./srv/x: '/etc' is no place in the sandbox."),
        ({"sandbox_mounts": {"/srv/x": "/workspace/x"}}, "sandbox_mounts./srv/x: '/workspace/x' is no place in the sandbox."),
        ({"gateway_read_only": True, "sandbox_mode": "non-main"}, "gateway_read_only: holds only when tools write nowhere else"),
        ({"gateway_read_only": True, "sandbox_workspace_access": "rw"}, "gateway_read_only: holds only when tools write nowhere else"),
        (
            {"gateway_read_only": True, "gateway_elevated_senders": {"telegram": ["1"]}},
            "gateway_elevated_senders: contradicts gateway_read_only.",
        ),
        ({"gateway_runtime": "container", "gateway_read_only": True}, "gateway_read_only: is about tools in a sandbox"),
        ({"gateway_runtime": "container", "sandbox_mounts": {"/srv/x": "/x"}}, "sandbox_mounts: is about tools in a sandbox"),
        ({"gateway_runtime": "container", "gateway_container_tools": ["*"]}, "gateway_container_tools: '*' is no single tool"),
        ({"gateway_container_tools": ["exec"]}, "gateway_container_tools: is for gateway_runtime container."),
        (
            {"gateway_runtime": "container", "gateway_config_extra": {"agents": {"entries": {"x": {"tools": {"allow": ["exec"]}}}}}},
            "gateway_config_extra.agents.entries.x.tools.allow: in a container there is no sandbox.",
        ),
        ({"gateway_tool_profile": "everything"}, "gateway_tool_profile: 'everything' is none of minimal, coding, messaging, full."),
        ({"gateway_tool_deny": ["no tool"]}, "gateway_tool_deny: 'no tool' is no tool's name."),
        ({"gateway_agent_rules": ["Fine.", "One.\nTwo."]}, "gateway_agent_rules: each rule is one line of plain text, without <!--."),
        ({"gateway_model": "claude"}, "gateway_model: must be PROVIDER/MODEL"),
        (
            {"gateway_model_providers": {"rack": {"models": ["m"]}}},
            "gateway_model_providers.rack.base_url: must be the provider's address.",
        ),
        (
            {"gateway_model_providers": {"rack": {"base_url": "http://k:s@example.org", "models": ["m"]}}},
            "gateway_model_providers.rack.base_url: is no address",
        ),
        ({"gateway_model_providers": {"rack": {"base_url": "http://example.org"}}}, "gateway_model_providers.rack.models: names no model."),
        ({"gateway_model_providers": {"rack": {"base": "x"}}}, "gateway_model_providers.rack.base: unknown, did you mean base_url?"),
        (
            {"gateway_model_keys": {"antropic": "test-key-of-no-account"}},
            "gateway_model_keys.antropic: openclaw knows no such provider. Did you mean anthropic? Say where it is in",
        ),
        ({"gateway_model_keys": {"rack": "test-key-of-no-account"}}, "gateway_model_keys.rack: openclaw knows no such provider."),
        (
            {"gateway_model_providers": {"rack": {"base_url": "//", "models": ["m"]}}},
            "gateway_model_providers.rack.base_url: is no address",
        ),
        (telegram(api_root="//"), "gateway_channels.telegram.api_root: is no address such as https://telegram.example.org"),
        (telegram(api_root=" "), "gateway_channels.telegram.api_root: must be the address of a server."),
        (telegram(api_root="http://"), "gateway_channels.telegram.api_root: is no address"),
        (telegram(api_root="api.telegram.org"), "gateway_channels.telegram.api_root: is no address"),
        (telegram(api_root="http://bot:s@example.org"), "gateway_channels.telegram.api_root: is no address"),
        (telegram(api_root="https://example.org/?token=s"), "gateway_channels.telegram.api_root: is no address"),
        (telegram(accounts={"work": {"api_root": "//"}}), "gateway_channels.telegram.accounts.work.api_root: is no address"),
        (
            {"gateway_channels": {"signal": {"number": "+15550100", "server": "no"}}},
            "gateway_channels.signal.server: is no address such as http://192.0.2.9:8080",
        ),
        (
            {"gateway_channels": {"signal": {"number": "no", "server": "http://192.0.2.9"}}},
            "gateway_channels.signal.number: must be a number with its country",
        ),
        (
            {"gateway_channels": {"signal": {"number": 15550100, "server": "http://192.0.2.9"}}},
            "gateway_channels.signal.number: must be text.",
        ),
        (
            {"gateway_channels": {"imessage": {"remote_host": "-oProxyCommand=x"}}},
            "gateway_channels.imessage.remote_host: must be HOST or USER@HOST.",
        ),
        ({"gateway_agents": {"Clerk": {}}}, "gateway_agents.Clerk: an agent's name needs small letters"),
        ({"gateway_agents": {"clerk": {"routes": ["telegram"]}}}, "gateway_agents.clerk.routes.telegram: unknown"),
        ({"gateway_agents": {"clerk": {"routes": ["telegram/wrok"]}}, **telegram()}, "gateway_agents.clerk.routes.telegram.wrok: unknown"),
        ({"gateway_port": 80}, "gateway_port: must be a number from 1024 to 65535."),
        ({"gateway_keep_releases": 1}, "gateway_keep_releases: must be 2 or more"),
        ({"gateway_memory_max": "lots"}, "gateway_memory_max: must be a number with M or G"),
        (
            {"gateway_config_extra": {"channels": {"matrix": {"dmPolicy": "open"}}}},
            "gateway_config_extra.channels.matrix.dmPolicy: lets anybody",
        ),
        (
            {"gateway_config_extra": {"channels": {"x": {"dm": {"allowFrom": ["*"]}}}}},
            "gateway_config_extra.channels.x.dm.allowFrom: lets anybody",
        ),
        (
            {"gateway_config_extra": {"tools": {"elevated": {"allowFrom": {"telegram": ["*"]}}}}},
            "gateway_config_extra.tools.elevated.allowFrom.telegram: lets anybody",
        ),
        (
            {"gateway_config_extra": {"agents": {"entries": {"x": {"sandbox": {"mode": "off"}}}}}},
            "gateway_config_extra.agents.entries.x.sandbox.mode: would run the agent's tools on the host.",
        ),
        ({"gateway_config_extra": {"ui": {"$include": "/etc/passwd"}}}, "gateway_config_extra.ui.$include: would put a file of the host"),
        ({"gateway_config_extra": {"$include": ["a.json"]}}, "gateway_config_extra.$include: would put a file of the host in here."),
        ({"gateway_config_extra": {"x": [{"__proto__": {}}]}}, "gateway_config_extra.x.__proto__: is no name to the gateway."),
        ({"gateway_config_extra": {"x": {"constructor": {"prototype": 1}}}}, "gateway_config_extra.x.constructor: is no name"),
        ({"gateway_config_extra": {"x": {"prototype": 1}}}, "gateway_config_extra.x.prototype: is no name to the gateway."),
        (
            telegram(group_policy="allowlist", group_senders=["1"], groups={"__proto__": {}}),
            "gateway_channels.telegram.groups.__proto__: is no name to the gateway.",
        ),
        (telegram(accounts={"__proto__": {}}), "gateway_channels.telegram.accounts.__proto__: is no name to the gateway."),
        (
            {"gateway_model_providers": {"__proto__": {"base_url": "http://h", "models": ["m"]}}},
            "gateway_model_providers.__proto__: a provider's",
        ),
        ({"gateway_agents": {"__proto__": {}}}, "gateway_agents.__proto__: an agent's name needs small letters"),
        ({"gateway_config_extra": {"x": [{"apiKey": "k"}]}}, "gateway_config_extra.x.apiKey: holds a secret as plain text"),
    ],
)
def test_refuses(given: dict[str, Any], line: str) -> None:
    """S14: the path of the variable, what is wrong, and how to put it right."""
    _, problems = policy(variables(**given))
    assert [problem for problem in problems if line in problem], problems


def test_all_that_is_wrong_in_one_message(run_module: RunModule) -> None:
    """S14, S7: one message with a line for each problem, and no secret in it."""
    given = {
        **variables(gateway_channels={"telegarm": {}, "telegram": {"dm_policy": "open"}}, gateway_port=80),
        "gateway_secrets": {"other": {"value": "change-me-zebra"}},
        "gateway_token": "zebra-zebra",
    }
    failed = run_module("gateway_policy", given, fails=True)
    assert [line.partition(":")[0] for line in failed["msg"].splitlines()] == [
        "gateway_channels.telegarm",
        "gateway_channels.telegram",
        "gateway_channels.telegram.dm_policy",
        "gateway_port",
        "/other/value",
        "gateway_token",
        "Nothing was changed.",
    ]
    assert "zebra" not in json.dumps(failed["msg"])


def test_the_open_door_needs_its_channels_name() -> None:
    """Confirming one channel opens no other."""
    given = variables(**telegram(dm_policy="open"), access_open_confirmed=["whatsapp"])
    assert len(policy(given)[1]) == 1
    extra = {"channels": {"telegram": {"dmPolicy": "open", "allowFrom": ["*"]}}}
    assert policy(variables(gateway_config_extra=extra, access_open_confirmed=["telegram"]))[1] == []
    assert len(policy(variables(gateway_config_extra=extra, access_open_confirmed=["whatsapp"]))[1]) == 2


def test_a_channel_in_other_letters_is_the_same() -> None:
    """`Telegram` and `Default` in access_channels are the channel and the account that the policy asks for."""
    lists = {"Telegram": {"accounts": {"Default": {"allow": ["42"]}}}}
    config, problems = policy(variables(access_channels=lists, **telegram(dm_policy="allowlist")))
    assert problems == []
    assert config["channels"]["telegram"]["allowFrom"] == ["42"]


def test_the_channels_of_a_guild() -> None:
    """On Discord the agent answers in the channels named, and in no other of the guild."""
    guild = {"42000": {"require_mention": False, "channels": ["4200077"]}}
    wishes = {"discord": {"group_policy": "allowlist", "group_senders": ["4200042"], "groups": guild}}
    config, problems = policy(variables(gateway_channels=wishes, gateway_secrets={"discord": {"token": "test-two-of-no-bot"}}))
    assert problems == []
    assert config["channels"]["discord"]["guilds"] == {
        "42000": {"requireMention": False, "users": ["4200042"], "channels": {"4200077": {"enabled": True, "requireMention": False}}}
    }


@pytest.mark.parametrize(("extra", "words"), DOORS.values(), ids=DOORS.keys())
def test_no_door_is_opened_unseen(extra: dict[str, Any], words: str) -> None:
    """S14: what the gateway would take without a word is judged in the merged configuration, and named by its path there."""
    problems = policy(variables(gateway_config_extra=extra))[1]
    assert [problem for problem in problems if words in problem and problem.startswith("gateway_config_extra.")], problems


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (
            {"agents": {"list": [{"id": "x", "sandbox": {"mode": "off"}}]}},
            "agents.list.sandbox.mode: would run the agent's tools on the host.",
        ),
        ({"agents": {"list": [{"id": "x", "tools": {"exec": {"host": "gateway"}}}]}}, "agents.list.tools.exec.host: would run commands"),
        ({"channels": {"slack": {"dm": {"policy": "open"}}}}, "channels.slack.dm.policy: lets anybody give orders"),
        ({"channels": {"slack": {"dm": {"allowFrom": [" *"]}}}}, "channels.slack.dm.allowFrom: lets anybody give orders"),
        ({"channels": {"discord": {"guilds": {"78": {}}}}}, "channels.discord.guilds.78: lets anybody give orders"),
        ({"gateway": {"bind": "lan"}}, "gateway.bind: would have the gateway listen for others"),
        ({"canvasHost": {"enabled": True}}, "canvasHost.enabled: would have the gateway listen for others"),
    ],
)
def test_no_door_of_clawdbot_is_opened_unseen(extra: dict[str, Any], line: str) -> None:
    """In its words, lists of agents included."""
    problems = policy(variables(gateway_product="clawdbot", gateway_config_extra=extra))[1]
    assert [problem for problem in problems if problem.startswith(f"gateway_config_extra.{line}")], problems


@pytest.mark.parametrize("extra", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_opens_nothing_is_taken(extra: dict[str, Any]) -> None:
    assert policy(variables(gateway_config_extra=extra))[1] == []


def test_a_door_is_judged_with_what_the_variables_say() -> None:
    """The merged configuration counts: what a variable says may stand in the extra too, and what it says cannot be taken back."""
    same = {"tools": {"elevated": {"enabled": True, "allowFrom": {"telegram": ["1"]}}}}
    assert policy(variables(gateway_elevated_senders={"telegram": ["1"]}, gateway_config_extra=same))[1] == []
    denied = {"gateway_tool_deny": ["exec", "cron"], "gateway_tool_profile": "minimal"}
    lines = policy(variables(**denied, gateway_config_extra={"tools": {"deny": ["cron"], "profile": "full"}}))[1]
    assert [line.partition(",")[0] for line in lines] == [
        "gateway_config_extra.tools.profile: drops 'minimal'",
        "gateway_config_extra.tools.deny: drops 'exec'",
    ]
    more = {"tools": {"deny": ["cron", "exec", "pdf"]}}
    assert policy(variables(**denied, gateway_config_extra=more))[1] == []
    mounted = {"agents": {"defaults": {"sandbox": {"docker": {"binds": ["/srv/books:/books:ro", "/etc:/etc:ro"]}}}}}
    lines = policy(variables(sandbox_mounts={"/srv/books": "/books"}, gateway_config_extra=mounted))[1]
    assert [line.partition(":")[0] for line in lines] == ["gateway_config_extra.agents.defaults.sandbox.docker.binds"]


@pytest.mark.parametrize(
    "extra",
    [
        {"gateway": None},
        {"gateway": {"bind": None}},
        {"gateway": {"auth": {"token": None}}},
        {"agents": []},
        {"agents": {"defaults": {"sandbox": None}}},
        {"tools": "none"},
        {"tools": {"elevated": None}},
        {"commands": None},
        {"secrets": None},
        {"gateway": {"bind": {"x": "loopback"}}},
        {"gateway": {"port": {}}},
    ],
    ids=json.dumps,
)
def test_nothing_of_the_role_is_thrown_away(extra: dict[str, Any]) -> None:
    """S14: an empty or misshapen extra would take the protections with it."""
    lines = policy(variables(gateway_config_extra=extra))[1]
    assert [line for line in lines if line.startswith("gateway_config_extra.")], lines


def test_read_only_stays_read_only() -> None:
    """No tool and no writable workspace comes in by way of the extra."""
    for path, extra in {
        "tools.allow": {"tools": {"allow": ["exec"]}},
        "tools.alsoAllow": {"tools": {"alsoAllow": ["exec"]}},
        "agents.entries.x.tools.allow": {"agents": {"entries": {"x": {"tools": {"allow": ["exec"]}}}}},
        "agents.entries.x.sandbox.workspaceAccess": {"agents": {"entries": {"x": {"sandbox": {"workspaceAccess": "rw"}}}}},
        "channels.telegram.groups.-7.tools.alsoAllow": {"channels": {"telegram": {"groups": {"-7": {"tools": {"alsoAllow": ["exec"]}}}}}},
    }.items():
        lines = policy(variables(gateway_read_only=True, gateway_config_extra=extra))[1]
        assert [line.partition(":")[0] for line in lines] == [f"gateway_config_extra.{path}"]


def test_a_confirmed_channel_may_be_open_in_every_way() -> None:
    """The named confirmation, and that it is for talking alone."""
    extra = {"channels": {"discord": {"groupPolicy": "open", "guilds": {"78": {}}, "allowFrom": ["*"]}}}
    assert policy(variables(gateway_config_extra=extra, access_open_confirmed=["discord"]))[1] == []
    more = {"channels": {"discord": {"execApprovals": {"approvers": ["*"]}}}}
    assert len(policy(variables(gateway_config_extra=more, access_open_confirmed=["discord"]))[1]) == 1


@pytest.mark.parametrize(
    "secret", ["schlüssel-von-niemand", 'key-with-"quotes"-of-no-bot', "back\\slash\\of-no-bot", "tab\tof-no-bot", "🦞-of-no-bot-🦞"]
)
def test_a_secret_is_found_whatever_is_in_it(secret: str) -> None:
    """S7: in values and keys of what comes out, as a program reads them; the text of JSON would say it otherwise."""
    refused = "/x: stands in the configuration as plain text too."
    for written in ({"x": f"a {secret} b"}, {"x": [{secret: 1}]}, {"x": {"y": [secret]}}):
        problems = policy(variables(gateway_secrets={"x": secret}, gateway_config_extra=written))[1]
        assert [line for line in problems if line.startswith(refused)], problems
    # With the line's end that a file has.
    assert policy(variables(gateway_secrets={"x": f"{secret}\n"}, gateway_config_extra={"x": secret}))[1]


def test_a_secret_is_found_beside_the_configuration(run_module: RunModule) -> None:
    """S7: in the allowlists and the exceptions, too."""
    secret = "schlüssel-von-niemand"  # noqa: S105 - of nobody
    for given in (
        {"access_channels": {"tlon": {"accounts": {"default": {"allow": [secret]}}}}},
        {"egress_exceptions": [{"address": "192.0.2.1", "port": 80, "protocol": "tcp", "comment": secret}]},
    ):
        failed = run_module("gateway_policy", {**variables(gateway_secrets={"x": secret}), **given}, fails=True)
        assert failed["msg"].startswith("/x: stands in the configuration as plain text too.")


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, []),
        ({"gateway_model": "anthropic/m", "gateway_model_keys": {"anthropic": "k"}}, []),
        ({"gateway_model": "anthropic/m"}, ["gateway_model: anthropic has no key in gateway_model_keys, so it may not answer."]),
        ({"gateway_model": "ollama/m"}, []),
        ({"gateway_model": "rack/m", "gateway_model_providers": {"rack": {}}}, []),
        ({"gateway_model": "anthropic/m", "gateway_config_extra": {"models": {"providers": {"anthropic": {"apiKey": {"id": "/x"}}}}}}, []),
        (
            {"gateway_agents": {"clerk": {"model": "openai/m"}, "x": {}}},
            ["gateway_agents.clerk.model: openai has no key in gateway_model_keys, so it may not answer."],
        ),
        (
            {"gateway_model": "anthropic/m", "gateway_model_keys": {"anthropic": "k", "openai": "k"}},
            ["gateway_model_keys.openai: no model uses this key."],
        ),
        (
            {
                "gateway_model": "anthropic/m",
                "gateway_model_keys": {"anthropic": "k", "openai": "k", "groq": "k"},
                "gateway_agents": {"clerk": {"model": "groq/m"}},
                "gateway_config_extra": {"agents": {"defaults": {"memorySearch": {"provider": "openai"}}}},
            },
            [],
        ),
        # Without a model of its own the gateway takes one that it has a key for.
        ({"gateway_model_keys": {"openai": "k"}}, []),
    ],
    ids=json.dumps,
)
def test_what_may_not_be_meant_is_noted(given: dict[str, Any], lines: list[str]) -> None:
    """No mistake, so it stops no run."""
    assert notes(variables(**given)) == lines


def test_notes_stand_in_the_summary(run_module: RunModule) -> None:
    """The operator reads them at the end of the run."""
    made = run_module("gateway_policy", variables(gateway_model="anthropic/m"))
    assert made["notes"] == ["gateway_model: anthropic has no key in gateway_model_keys, so it may not answer."]
    shown = Environment(undefined=ChainableUndefined, autoescape=False, trim_blocks=True)  # noqa: S701 - text, not HTML
    shown.tests |= {"skipped": lambda _: False}
    text = (PROJECT / "roles/verify/templates/summary.txt.j2").read_text()
    summary = shown.from_string(text).render(gateway_policy=made, egress_mode="guarded", gateway_model_keys={}, gateway_channels={})
    assert f"\n  Attention      {made['notes'][0]}\n" in summary
    assert "Attention" not in shown.from_string(text).render(gateway_policy={"notes": []}, egress_mode="guarded")
