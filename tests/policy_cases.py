"""Variables and the exact configuration that comes of them. Unit tests hold the code to it, integration tests the real gateways.

A case gives the variables that are set and the parts of the configuration, by their first key, that differ from `DEFAULT`; `None`: gone.
"""

from __future__ import annotations

from typing import Any

Case = tuple[dict[str, Any], dict[str, Any]]

# What the role passes on a host with the defaults.
VARIABLES: dict[str, Any] = {
    "access_channels": {},
    "access_open_confirmed": [],
    "access_people": {},
    "account_home": "/home/openclaw",
    "gateway_agent_rules": [],
    "gateway_agents": {},
    "gateway_channels": {},
    "gateway_command_owners": [],
    "gateway_config_extra": {},
    "gateway_container_tools": [],
    "gateway_elevated_senders": {},
    "gateway_keep_releases": 3,
    "gateway_memory_max": "2G",
    "gateway_mention_patterns": [],
    "gateway_model": "",
    "gateway_model_keys": {},
    "gateway_model_providers": {},
    "gateway_plugins": [],
    "gateway_port": 18789,
    "gateway_product": "openclaw",
    "gateway_read_only": False,
    "gateway_reload_mode": "off",
    "gateway_runtime": "host",
    "gateway_secrets": {},
    "gateway_session_scope": "per-channel-peer",
    "gateway_token": "",
    "gateway_tool_deny": [],
    "gateway_tool_profile": "",
    "log_file": "/home/openclaw/.openclaw/logs/gateway.log",
    "proxy_url": "",
    "sandbox_cpus": 1.0,
    "sandbox_memory": "1g",
    "sandbox_mode": "all",
    "sandbox_mounts": {},
    "sandbox_pids_limit": 256,
    "sandbox_scope": "session",
    "sandbox_workspace_access": "none",
    "secrets_file": "/run/openclaw/secrets.json",
}

GATEWAY = {
    "mode": "local",
    "bind": "loopback",
    "port": 18789,
    "auth": {"mode": "token", "token": {"source": "file", "provider": "hostfile", "id": "/gateway/token"}},
    "reload": {"mode": "off"},
}
DOCKER = {
    "readOnlyRoot": True,
    "tmpfs": ["/tmp", "/var/tmp"],  # noqa: S108 - inside the sandbox
    "network": "none",
    "user": "1000:1000",
    "capDrop": ["ALL"],
    "pidsLimit": 256,
    "memory": "1g",
    "memorySwap": "1g",
    "cpus": 1.0,
}
SANDBOX = {"mode": "all", "backend": "podman", "scope": "session", "workspaceAccess": "none", "docker": DOCKER}

DEFAULT: dict[str, Any] = {
    "gateway": GATEWAY,
    "secrets": {"providers": {"hostfile": {"source": "file", "path": "/run/openclaw/secrets.json", "mode": "json"}}},
    "session": {"dmScope": "per-channel-peer"},
    "discovery": {"mdns": {"mode": "off"}},
    "update": {"checkOnStart": False},
    "telemetry": {"enabled": False},
    "hooks": {"internal": {"enabled": False}},
    "cron": {"triggers": {"enabled": False}},
    "logging": {"file": "/home/openclaw/.openclaw/logs/gateway.log"},
    "agents": {"defaults": {"sandbox": SANDBOX}},
    "tools": {"elevated": {"enabled": False}},
    "commands": {"ownerAllowFrom": ["nobody:nobody"]},
}

ADA = {"ada": {"telegram": "tg:42", "whatsapp": "+1 555 0100", "signal": "signal:+15550100", "imessage": "ada@example.org"}}
ADA["ada"] |= {"discord": "user:4200042", "slack": "user:U0ADA42"}

# For each channel what it takes to connect, its form in the configuration, Ada's form in the lists, and where groups stand.
SECRETS = {
    "telegram": {"botToken": "test-one-of-no-bot"},
    "discord": {"token": "test-two-of-no-bot"},
    "slack": {"botToken": "test-three-of-no-bot", "appToken": "test-four-of-no-bot"},
}
CHANNELS: dict[str, tuple[dict[str, str], dict[str, Any], str, str]] = {
    "telegram": ({}, {"botToken": {"source": "file", "provider": "hostfile", "id": "/telegram/botToken"}}, "42", "groups"),
    "whatsapp": ({}, {}, "+15550100", "groups"),
    "signal": (
        {"number": "+15550199", "server": "http://192.0.2.9:8080"},
        {"account": "+15550199", "transport": {"kind": "external-native", "url": "http://192.0.2.9:8080"}},
        "+15550100",
        "groups",
    ),
    "imessage": (
        {"program": "/usr/local/bin/imsg", "remote_host": "bot@mac.example"},
        {"cliPath": "/usr/local/bin/imsg", "remoteHost": "bot@mac.example"},
        "ada@example.org",
        "groups",
    ),
    "discord": ({}, {"token": {"source": "file", "provider": "hostfile", "id": "/discord/token"}}, "4200042", "guilds"),
    "slack": (
        {},
        {
            "botToken": {"source": "file", "provider": "hostfile", "id": "/slack/botToken"},
            "appToken": {"source": "file", "provider": "hostfile", "id": "/slack/appToken"},
        },
        "U0ADA42",
        "channels",
    ),
}


def _direct(policy: str, ada: str) -> dict[str, Any]:
    lists = {"allowlist": {"allowFrom": [ada]}, "open": {"allowFrom": ["*"]}}
    return {"dmPolicy": policy, **lists.get(policy, {})}


# Two groups in the form of each channel that has one.
GROUPS = {"telegram": ("-77", "-78"), "whatsapp": ("77@g.us", "78@g.us"), "slack": ("C0TEST77", "C0TEST78")}


def _groups(policy: str, ada: str, channel: str) -> dict[str, Any]:
    place = CHANNELS[channel][3]
    one, two = GROUPS.get(channel, ("77", "78"))
    rooms: dict[str, dict[str, dict[str, Any]]] = {
        "groups": {
            "allowlist": {"groups": {one: {"requireMention": True}, two: {"requireMention": False}}, "groupAllowFrom": [ada]},
            "open": {"groups": {"*": {"requireMention": True}}},
        },
        "guilds": {
            "allowlist": {"guilds": {one: {"requireMention": True, "users": [ada]}, two: {"requireMention": False, "users": [ada]}}},
            "open": {"guilds": {"*": {"requireMention": True}}},
        },
        "channels": {
            "allowlist": {
                "channels": {
                    one: {"requireMention": True, "enabled": True, "users": [ada]},
                    two: {"requireMention": False, "enabled": True, "users": [ada]},
                }
            },
            "open": {"channels": {"*": {"requireMention": True, "enabled": True}}},
        },
    }
    return {"groupPolicy": policy, **rooms[place].get(policy, {})}


def _policy(channel: str, direct: str, group: str) -> Case:
    """One combination of DM policy and group policy on one channel."""
    needed, connects, ada, _ = CHANNELS[channel]
    wishes: dict[str, Any] = {**needed, "dm_policy": direct, "group_policy": group}
    if group == "allowlist":
        one, two = GROUPS.get(channel, ("77", "78"))
        wishes |= {"group_senders": ["ada"], "groups": {one: {}, two: {"require_mention": False}}}
    variables = {
        "access_people": ADA,
        "access_channels": {channel: {"accounts": {"default": {"allow": ["ada"]}}}},
        "access_open_confirmed": [channel],
        "gateway_channels": {channel: wishes},
        "gateway_secrets": {channel: SECRETS[channel]} if channel in SECRETS else {},
    }
    made = {"enabled": True, "configWrites": False, **connects, **_direct(direct, ada), **_groups(group, ada, channel)}
    plugins = {"plugins": {"entries": {channel: {"enabled": True}}}} if channel != "telegram" else {}
    return variables, {"channels": {channel: made}, **plugins}


POLICIES: dict[str, Case] = {
    f"{channel}: {direct}, groups {group}": _policy(channel, direct, group)
    for channel in CHANNELS
    for direct in ("pairing", "allowlist", "open", "disabled")
    for group in ("disabled", "allowlist", "open")
}

TELEGRAM = {"gateway_secrets": {"telegram": {"botToken": "test-one-of-no-bot", "work": {"botToken": "test-five-of-no-bot"}}}}
TELEGRAM_TOKEN = {"source": "file", "provider": "hostfile", "id": "/telegram/botToken"}
WORK_TOKEN = {"source": "file", "provider": "hostfile", "id": "/telegram/work/botToken"}

CASES: dict[str, Case] = {
    "nothing set": ({}, {}),
    "a channel by its name alone": (
        {"gateway_channels": {"telegram": {}}, **TELEGRAM},
        {
            "channels": {
                "telegram": {
                    "enabled": True,
                    "configWrites": False,
                    "botToken": TELEGRAM_TOKEN,
                    "dmPolicy": "pairing",
                    "groupPolicy": "disabled",
                }
            }
        },
    ),
    "a channel switched off needs no secret": (
        {"gateway_channels": {"slack": {"enabled": False}}},
        {
            "channels": {"slack": {"enabled": False, "configWrites": False, "dmPolicy": "pairing", "groupPolicy": "disabled"}},
            "plugins": {"entries": {"slack": {"enabled": False}}},
        },
    ),
    "two accounts, each written out": (
        {
            "gateway_channels": {
                "telegram": {
                    "api_root": "https://telegram.example.org",
                    "group_policy": "allowlist",
                    "group_senders": [42],
                    "require_mention": False,
                    "accounts": {"work": {"dm_policy": "allowlist", "require_mention": True}},
                }
            },
            "access_channels": {"telegram": {"accounts": {"work": {"allow": ["7", 8]}}}},
            **TELEGRAM,
        },
        {
            "channels": {
                "telegram": {
                    "enabled": True,
                    "configWrites": False,
                    "dmPolicy": "disabled",
                    "groupPolicy": "disabled",
                    "defaultAccount": "default",
                    "accounts": {
                        "default": {
                            "enabled": True,
                            "configWrites": False,
                            "botToken": TELEGRAM_TOKEN,
                            "apiRoot": "https://telegram.example.org",
                            "dmPolicy": "pairing",
                            "groupPolicy": "allowlist",
                            "groups": {"*": {"requireMention": False}},
                            "groupAllowFrom": ["42"],
                        },
                        "work": {
                            "enabled": True,
                            "configWrites": False,
                            "botToken": WORK_TOKEN,
                            "apiRoot": "https://telegram.example.org",
                            "dmPolicy": "allowlist",
                            "allowFrom": ["7", "8"],
                            "groupPolicy": "allowlist",
                            "groups": {"*": {"requireMention": True}},
                            "groupAllowFrom": ["42"],
                        },
                    },
                }
            }
        },
    ),
    "mention patterns": (
        {"gateway_mention_patterns": ["@?lobster\\b", "hey pot"]},
        {"messages": {"groupChat": {"mentionPatterns": ["@?lobster\\b", "hey pot"]}}},
    ),
    "owners, a person and a sender": (
        {"gateway_command_owners": ["telegram:ada", "discord:4200043"], "access_people": ADA},
        {"commands": {"ownerAllowFrom": ["telegram:42", "discord:4200043"]}},
    ),
    "session scope": ({"gateway_session_scope": "per-account-channel-peer"}, {"session": {"dmScope": "per-account-channel-peer"}}),
    "another port": ({"gateway_port": 2000}, {"gateway": {**GATEWAY, "port": 2000}}),
    "a configuration taken up by itself": ({"gateway_reload_mode": "hybrid"}, {"gateway": {**GATEWAY, "reload": {"mode": "hybrid"}}}),
    "no plugins but these": (
        {
            "gateway_plugins": ["memory-core"],
            "gateway_channels": {"telegram": {}},
            "gateway_model": "anthropic/claude-opus-4-6",
            "gateway_model_keys": {"anthropic": "test-key-of-no-account"},
            **TELEGRAM,
        },
        {
            "plugins": {"allow": ["anthropic", "memory-core", "telegram"]},
            "channels": {
                "telegram": {
                    "enabled": True,
                    "configWrites": False,
                    "botToken": TELEGRAM_TOKEN,
                    "dmPolicy": "pairing",
                    "groupPolicy": "disabled",
                }
            },
            "agents": {"defaults": {"sandbox": SANDBOX, "model": {"primary": "anthropic/claude-opus-4-6"}}},
            "models": {"providers": {"anthropic": {"apiKey": {"source": "file", "provider": "hostfile", "id": "/models/anthropic"}}}},
        },
    ),
    "a proxy": ({"proxy_url": "http://127.0.0.1:3128"}, {"proxy": {"proxyUrl": "http://127.0.0.1:3128"}}),
    "sandbox mode, scope, workspace": (
        {"sandbox_mode": "non-main", "sandbox_scope": "agent", "sandbox_workspace_access": "ro"},
        {"agents": {"defaults": {"sandbox": {**SANDBOX, "mode": "non-main", "scope": "agent", "workspaceAccess": "ro"}}}},
    ),
    "a writable workspace, a shared sandbox": (
        {"sandbox_scope": "shared", "sandbox_workspace_access": "rw"},
        {"agents": {"defaults": {"sandbox": {**SANDBOX, "scope": "shared", "workspaceAccess": "rw"}}}},
    ),
    "sandbox limits": (
        {"sandbox_pids_limit": 64, "sandbox_memory": "512m", "sandbox_cpus": 0.5},
        {
            "agents": {
                "defaults": {
                    "sandbox": {**SANDBOX, "docker": {**DOCKER, "pidsLimit": 64, "memory": "512m", "memorySwap": "512m", "cpus": 0.5}}
                }
            }
        },
    ),
    "a mount": (
        {"sandbox_mounts": {"/srv/books": "/books"}},
        {
            "agents": {
                "defaults": {
                    "sandbox": {
                        **SANDBOX,
                        "docker": {**DOCKER, "binds": ["/srv/books:/books:ro"], "dangerouslyAllowExternalBindSources": True},
                    }
                }
            }
        },
    ),
    "elevated for some": (
        {"gateway_elevated_senders": {"telegram": ["ada", 7], "whatsapp": ["ada"]}, "access_people": ADA},
        {"tools": {"elevated": {"enabled": True, "allowFrom": {"telegram": ["42", "7"], "whatsapp": ["+15550100"]}}}},
    ),
    "tool profile and denials": (
        {"gateway_tool_profile": "coding", "gateway_tool_deny": ["group:web", "cron"]},
        {"tools": {"elevated": {"enabled": False}, "profile": "coding", "deny": ["group:web", "cron"]}},
    ),
    "read only": (
        {"gateway_read_only": True},
        {
            "tools": {
                "elevated": {"enabled": False},
                "allow": [
                    "group:fs",
                    "group:memory",
                    "group:web",
                    "agents_list",
                    "pdf",
                    "session_status",
                    "sessions_history",
                    "sessions_list",
                    "sessions_search",
                    "view_image",
                ],
            }
        },
    ),
    "a gateway in a container, and one tool in spite of that": (
        {"gateway_runtime": "container", "gateway_container_tools": ["web_fetch"]},
        {
            "agents": {"defaults": {"sandbox": {"mode": "off"}}},
            "tools": {
                "elevated": {"enabled": False},
                "allow": [
                    "session_status",
                    "sessions_history",
                    "sessions_list",
                    "sessions_search",
                    "sessions_send",
                    "sessions_spawn",
                    "sessions_yield",
                    "subagents",
                    "web_fetch",
                ],
                "sessions": {"visibility": "tree"},
            },
        },
    ),
    "a model and its key": (
        {"gateway_model": "anthropic/claude-opus-4-6", "gateway_model_keys": {"anthropic": "test-key-of-no-account"}},
        {
            "agents": {"defaults": {"sandbox": SANDBOX, "model": {"primary": "anthropic/claude-opus-4-6"}}},
            "models": {"providers": {"anthropic": {"apiKey": {"source": "file", "provider": "hostfile", "id": "/models/anthropic"}}}},
        },
    ),
    "a provider of one's own": (
        {
            "gateway_model_providers": {
                "rack": {"base_url": "http://192.0.2.10:11434/v1", "models": ["qwen3", "tiny"]},
                "other": {"base_url": "https://models.example.org", "api": "anthropic-messages", "models": ["m"]},
            },
            "gateway_model_keys": {"rack": "test-key-of-no-account"},
        },
        {
            "models": {
                "providers": {
                    "rack": {
                        "baseUrl": "http://192.0.2.10:11434/v1",
                        "api": "openai-completions",
                        "models": [{"id": "qwen3", "name": "qwen3"}, {"id": "tiny", "name": "tiny"}],
                        "apiKey": {"source": "file", "provider": "hostfile", "id": "/models/rack"},
                    },
                    "other": {"baseUrl": "https://models.example.org", "api": "anthropic-messages", "models": [{"id": "m", "name": "m"}]},
                }
            }
        },
    ),
    "an agent for an account": (
        {
            "gateway_channels": {"telegram": {"accounts": {"work": {}}}},
            "gateway_agents": {
                "clerk": {"routes": ["telegram/work"], "model": "rack/tiny", "tool_profile": "minimal", "tool_deny": ["pdf"]}
            },
            **TELEGRAM,
        },
        {
            "agents": {
                "defaults": {"sandbox": SANDBOX, "systemAgent": {"agentId": "main"}},
                "ownership": "explicit",
                "entries": {"main": {}, "clerk": {"model": "rack/tiny", "tools": {"profile": "minimal", "deny": ["pdf"]}}},
            },
            "bindings": [
                {"agentId": "clerk", "match": {"channel": "telegram", "accountId": "work"}},
                {"agentId": "main", "match": {"channel": "telegram", "accountId": "*"}},
            ],
            "channels": {
                "telegram": {
                    "enabled": True,
                    "configWrites": False,
                    "dmPolicy": "disabled",
                    "groupPolicy": "disabled",
                    "defaultAccount": "default",
                    "accounts": {
                        "default": {
                            "enabled": True,
                            "configWrites": False,
                            "botToken": TELEGRAM_TOKEN,
                            "dmPolicy": "pairing",
                            "groupPolicy": "disabled",
                        },
                        "work": {
                            "enabled": True,
                            "configWrites": False,
                            "botToken": WORK_TOKEN,
                            "dmPolicy": "pairing",
                            "groupPolicy": "disabled",
                        },
                    },
                }
            },
        },
    ),
    "extra, merged last": (
        {"gateway_config_extra": {"logging": {"redactPatterns": ["x-[a-z]+"]}, "session": {"dmScope": "per-peer"}}},
        {
            "logging": {"file": "/home/openclaw/.openclaw/logs/gateway.log", "redactPatterns": ["x-[a-z]+"]},
            "session": {"dmScope": "per-peer"},
        },
    ),
}

# ---------------------------------------------------------------------------------------------------- clawdbot
CLAWDBOT_DOCKER = {**DOCKER, "binds": ["/srv/books:/books:ro"]}
CLAWDBOT_DEFAULT: dict[str, Any] = {
    "gateway": {**GATEWAY, "auth": {"mode": "token", "token": "${CLAWDBOT_SECRET_GATEWAY_TOKEN}"}},
    "session": {"dmScope": "per-channel-peer"},
    "update": {"checkOnStart": False},
    "logging": {"file": "/home/openclaw/.openclaw/logs/gateway.log"},
    "agents": {
        "defaults": {
            "sandbox": {"mode": "all", "scope": "session", "workspaceAccess": "none", "docker": DOCKER},
            "workspace": "/home/openclaw/.clawdbot/workspace",
        }
    },
    "tools": {"elevated": {"enabled": False}},
    "hooks": {"internal": {"enabled": False}},
    "browser": {"enabled": False},
    "canvasHost": {"enabled": False},
}
CLAWDBOT_TOKENS = {
    "telegram": {"botToken": "${CLAWDBOT_SECRET_TELEGRAM_BOTTOKEN}"},
    "discord": {"token": "${CLAWDBOT_SECRET_DISCORD_TOKEN}"},
    "slack": {"botToken": "${CLAWDBOT_SECRET_SLACK_BOTTOKEN}", "appToken": "${CLAWDBOT_SECRET_SLACK_APPTOKEN}"},
}


def _clawdbot_policy(channel: str, direct: str, group: str) -> Case:
    """The same combination, in clawdbot's words."""
    variables, differs = _policy(channel, direct, group)
    made: dict[str, Any] = {**differs["channels"][channel], **CLAWDBOT_TOKENS.get(channel, {})}
    if channel == "whatsapp":
        del made["enabled"]
    if channel == "signal":
        made |= {"httpUrl": made.pop("transport")["url"]}
    if channel in ("discord", "slack"):
        made["dm"] = {"policy": made.pop("dmPolicy"), **({"allowFrom": made.pop("allowFrom")} if "allowFrom" in made else {})}
    return variables, {"channels": {channel: made}, "plugins": {"entries": {channel: {"enabled": True}}}}


CLAWDBOT: dict[str, Case] = {
    "nothing set": ({}, {}),
    "an agent for an account, a mount, a provider": (
        {
            "gateway_channels": {"telegram": {"accounts": {"work": {}}}},
            "gateway_agents": {"clerk": {"routes": ["telegram/work"], "tool_deny": ["exec"]}},
            "gateway_model_providers": {"rack": {"base_url": "http://192.0.2.10:11434/v1", "models": ["qwen3"]}},
            "gateway_model_keys": {"rack": "test-key-of-no-account", "anthropic": "test-key-of-no-other"},
            "gateway_config_extra": {
                "logging": {"level": "info"},
                "talk": {"apiKey": {"source": "file", "provider": "hostfile", "id": "/talk/key"}},
            },
            "sandbox_mounts": {"/srv/books": "/books"},
            "gateway_secrets": {**TELEGRAM["gateway_secrets"], "talk": {"key": "test-key-of-no-voice"}},
        },
        {
            "agents": {
                "defaults": {
                    "sandbox": {"mode": "all", "scope": "session", "workspaceAccess": "none", "docker": CLAWDBOT_DOCKER},
                    "workspace": "/home/openclaw/.clawdbot/workspace",
                },
                "list": [
                    {"id": "main", "default": True, "workspace": "/home/openclaw/.clawdbot/workspace"},
                    {"id": "clerk", "workspace": "/home/openclaw/.clawdbot/workspace-clerk", "tools": {"deny": ["exec"]}},
                ],
            },
            "bindings": [
                {"agentId": "clerk", "match": {"channel": "telegram", "accountId": "work"}},
                {"agentId": "main", "match": {"channel": "telegram", "accountId": "*"}},
            ],
            "channels": {
                "telegram": {
                    "enabled": True,
                    "configWrites": False,
                    "dmPolicy": "disabled",
                    "groupPolicy": "disabled",
                    "accounts": {
                        "default": {
                            "enabled": True,
                            "configWrites": False,
                            "botToken": "${CLAWDBOT_SECRET_TELEGRAM_BOTTOKEN}",
                            "dmPolicy": "pairing",
                            "groupPolicy": "disabled",
                        },
                        "work": {
                            "enabled": True,
                            "configWrites": False,
                            "botToken": "${CLAWDBOT_SECRET_TELEGRAM_WORK_BOTTOKEN}",
                            "dmPolicy": "pairing",
                            "groupPolicy": "disabled",
                        },
                    },
                }
            },
            "plugins": {"entries": {"telegram": {"enabled": True}}},
            "models": {
                "providers": {
                    "rack": {
                        "baseUrl": "http://192.0.2.10:11434/v1",
                        "api": "openai-completions",
                        "apiKey": "${CLAWDBOT_SECRET_MODELS_RACK}",
                        "models": [
                            {
                                "id": "qwen3",
                                "name": "qwen3",
                                "reasoning": False,
                                "input": ["text"],
                                "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
                                "contextWindow": 128000,
                                "maxTokens": 8192,
                            }
                        ],
                    }
                }
            },
            "logging": {"file": "/home/openclaw/.openclaw/logs/gateway.log", "level": "info"},
            "talk": {"apiKey": "${CLAWDBOT_SECRET_TALK_KEY}"},
        },
    ),
    **{
        f"{channel}: {direct}, groups {group}": _clawdbot_policy(channel, direct, group)
        for channel in CHANNELS
        for direct in ("pairing", "allowlist", "open", "disabled")
        for group in ("disabled", "allowlist", "open")
        if channel != "signal" or group == "disabled"
    },
}

# ---------------------------------------------------------------------------------------------------- mention patterns
# What the gateway reads as it is meant.
PATTERNS_READ = [
    "pot",
    "@?lobster\\b",
    "\\bpot\\b",
    "^pot$",
    "[\\w.-]+pot",
    "(?:hey|hi) pot",
    "(?<name>pot)\\k<name>",
    "(pot)\\1",
    "(?=pot)*",
    "(?<!no )pot",
    "(?i:pot)",
    "\\u0070ot",
    "po{2}t?",
    "pot{",
    "pot{,2}",
    "]}",
    "[^]]",
    "[^]",
    "(ab|cd)+",
    "🦞",
    "\\/pot",
]
# What it ignores, with a warning in its log or without a word, and what is said of it.
PATTERNS_IGNORED = {
    "": "is blank",
    " \t": "is blank",
    "(?i)pot": "Leave (?i) out",
    "(?im)pot": "Leave (?i) out",
    "(?x) pot": "has flags of its own",
    "(?P<n>pot)": "Write (?<name>...)",
    "(?P<n>pot)(?P=n)": "Write (?<name>...)",
    "(?#hi)pot": "begins no group",
    "(?>pot)": "begins no group",
    "(?🦞pot)": "has (?🦞, which begins no group",
    "(pot)(?(1)a|b)": "begins no group",
    "(?-:pot)": "begins no group",
    "(?ii:pot)": "begins no group",
    "pot++": "nothing to repeat",
    "*pot": "nothing to repeat",
    "{2}": "nothing to repeat",
    "^*pot": "nothing to repeat",
    "\\b+pot": "nothing to repeat",
    "(?<=a)+pot": "nothing to repeat",
    "(*)": "nothing to repeat",
    "pot{3,1}": "the higher number first",
    "(pot": "lacks a )",
    "pot)": "has a ) too many",
    "[pot": "lacks a ]",
    "[t-p]": "ends before it begins",
    "[🦞-🦟]": "ends before it begins",
    "pot\\": "ends with a backslash",
    "(?<n>pot)\\k<m>": "refers to a group m",
    "(?<n>pot)(?<n>pot)": "gives two groups one name",
    "(a+)+": "repeats a repetition",
    "((a+))*": "repeats a repetition",
    "(a|bc)+": "branches of different lengths",
    # It counts the ?: as a part of the first branch.
    "(?:ab|cd)+": "branches of different lengths",
}
# What it takes and reads as something that nobody means.
PATTERNS_READ_OTHERWISE = {
    "\\Abot\\Z": "\\A, which means the letter A in JavaScript. Write ^.",
    "bot\\Z": "\\Z, which means the letter Z in JavaScript. Write $.",
    "bot\\z": "\\z, which means the letter z in JavaScript. Write $.",
    "\\p{L}ot": "\\p, which means the letter p in JavaScript.",
    "\\u{1F99E}": "\\u, which means the letter u in JavaScript.",
    "\\U0001F99E": "\\U, which means the letter U in JavaScript.",
    "\\xg": "\\x, which means the letter x in JavaScript.",
    "\\hpot": "\\h, which means the letter h in JavaScript.",
    "\\Qpot\\E": "\\Q, which means the letter Q in JavaScript.",
    "[\\A]": "\\A, which means the letter A in JavaScript.",
    "\\k<n>": "\\k, which means the letter k in JavaScript.",
    "\\2(pot)": "refers to a group 2",
}

# ---------------------------------------------------------------------------------------------------- text that the gateway would expand
# Places where text of the inventory comes into the configuration: variables with ${HOME} in them, the keys that lead there, the text that
# stands there. A gateway that reads it has the variable's text again.
_OF_IMESSAGE: dict[str, Any] = {
    "gateway_channels": {"imessage": {"dm_policy": "allowlist", "group_policy": "allowlist", "group_senders": ["eve"]}}
}
_OF_IMESSAGE |= {"access_people": {"eve": {"imessage": "${_}@example.org"}}}
_OF_IMESSAGE |= {"access_channels": {"imessage": {"accounts": {"default": {"allow": ["eve"]}}}}}
_SIGNAL = {"number": "+15550199", "server": "http://192.0.2.9:8080/${HOME}"}
_RACK = {"rack": {"base_url": "http://192.0.2.10/${HOME}", "models": ["${HOME}"]}}
EXPANDED: dict[str, tuple[dict[str, Any], tuple[str, ...], Any]] = {
    "the secrets' file": (
        {"secrets_file": "/run/${HOME}/secrets.json"},
        ("secrets", "providers", "hostfile", "path"),
        "/run/$${HOME}/secrets.json",
    ),
    "the log": ({"log_file": "/srv/${HOME}/gateway.log"}, ("logging", "file"), "/srv/$${HOME}/gateway.log"),
    "a proxy": ({"proxy_url": "http://127.0.0.1:3128/${HOME}"}, ("proxy", "proxyUrl"), "http://127.0.0.1:3128/$${HOME}"),
    "a provider's address": ({"gateway_model_providers": _RACK}, ("models", "providers", "rack", "baseUrl"), "http://192.0.2.10/$${HOME}"),
    "a provider's models": (
        {"gateway_model_providers": _RACK},
        ("models", "providers", "rack", "models"),
        [{"id": "$${HOME}", "name": "$${HOME}"}],
    ),
    "the model": ({"gateway_model": "rack/${HOME}"}, ("agents", "defaults", "model", "primary"), "rack/$${HOME}"),
    "an agent's model": (
        {"gateway_agents": {"clerk": {"model": "rack/${HOME}"}}},
        ("agents", "entries", "clerk", "model"),
        "rack/$${HOME}",
    ),
    "mention patterns": (
        {"gateway_mention_patterns": ["pot${HOME}", "$${HOME}"]},
        ("messages", "groupChat", "mentionPatterns"),
        ["pot$${HOME}", "$$${HOME}"],
    ),
    "mounts": (
        {"sandbox_mounts": {"/srv/${HOME}": "/books/${HOME}"}},
        ("agents", "defaults", "sandbox", "docker", "binds"),
        ["/srv/$${HOME}:/books/$${HOME}:ro"],
    ),
    "a sandbox's memory": ({"sandbox_memory": "${HOME}"}, ("agents", "defaults", "sandbox", "docker", "memory"), "$${HOME}"),
    "the address of Telegram's API": (
        {"gateway_channels": {"telegram": {"api_root": "http://192.0.2.9/${HOME}"}}, **TELEGRAM},
        ("channels", "telegram", "apiRoot"),
        "http://192.0.2.9/$${HOME}",
    ),
    "a server of Signal's": (
        {"gateway_channels": {"signal": _SIGNAL}},
        ("channels", "signal", "transport", "url"),
        "http://192.0.2.9:8080/$${HOME}",
    ),
    "a program for iMessage": (
        {"gateway_channels": {"imessage": {"program": "/opt/${HOME}/imsg"}}},
        ("channels", "imessage", "cliPath"),
        "/opt/$${HOME}/imsg",
    ),
    "an approved address": (_OF_IMESSAGE, ("channels", "imessage", "allowFrom"), ["$${_}@example.org"]),
    "a sender in groups": (_OF_IMESSAGE, ("channels", "imessage", "groupAllowFrom"), ["$${_}@example.org"]),
    "an owner of commands": (
        {"gateway_command_owners": ["imessage:${_}@example.org"]},
        ("commands", "ownerAllowFrom"),
        ["imessage:$${_}@example.org"],
    ),
    "who may leave the sandbox": (
        {"gateway_elevated_senders": {"imessage": ["${_}@example.org"]}},
        ("tools", "elevated", "allowFrom", "imessage"),
        ["$${_}@example.org"],
    ),
    "plugins": ({"gateway_plugins": ["${HOME}"]}, ("plugins", "allow"), ["$${HOME}"]),
    "anything else": (
        {"gateway_config_extra": {"ui": {"assistant": {"name": "${HOME} and $${HOME} of $HOME"}}}},
        ("ui", "assistant", "name"),
        "$${HOME} and $$${HOME} of $HOME",
    ),
}

# ---------------------------------------------------------------------------------------------------- doors
# Extras that the gateway takes without a word and that open what the variables keep closed; the line that says so.
_LETS_IN = "lets anybody give orders"
_LISTENS = "would have the gateway listen for others"
_ON_HOST = "would run commands outside the sandbox"
_WALLS = "would open the sandbox"
_REFERENCE = {"source": "file", "provider": "hostfile", "id": "/gateway/token"}


def _extra(path: str, value: Any) -> dict[str, Any]:
    """A value at the end of a path."""
    for key in reversed(path.split("/")):
        value = {key: value}
    return value


DOORS: dict[str, tuple[dict[str, Any], str]] = {
    f"{path} = {value!r}": (_extra(path, value), words)
    for path, value, words in [
        ("channels/telegram/allowFrom", [" *"], _LETS_IN),
        ("channels/telegram/allowFrom", ["telegram:*"], _LETS_IN),
        ("channels/telegram/groups/-7/allowFrom", ["*"], _LETS_IN),
        ("channels/telegram/groups/-7/groupPolicy", "open", _LETS_IN),
        ("channels/telegram/execApprovals/approvers", ["*"], _LETS_IN),
        ("channels/defaults/groupPolicy", "open", _LETS_IN),
        ("channels/discord/guilds/78/users", ["*"], _LETS_IN),
        ("channels/discord/guilds/78/users", [], _LETS_IN),
        ("channels/discord/guilds/78/users", [" "], _LETS_IN),
        ("channels/slack/channels/C0123ABCD", {"requireMention": False}, _LETS_IN),
        ("commands/allowFrom/telegram", ["*"], _LETS_IN),
        ("accessGroups/all", {"type": "message.senders", "members": {"telegram": ["*"]}}, _LETS_IN),
        ("commands/ownerAllowFrom", ["telegram:1"], "decides who owns the gateway"),
        ("commands/ownerAllowFrom", [], "decides who owns the gateway"),
        ("gateway/bind", "lan", _LISTENS),
        ("gateway/bind", "auto", _LISTENS),
        ("gateway/mode", "remote", "decides where the gateway is"),
        ("gateway/port", 18790, "has a variable of its own. Set gateway_port"),
        ("gateway/reload/mode", "hybrid", "has a variable of its own. Set gateway_reload_mode"),
        ("gateway/auth/mode", "none", "would let in whoever has no token"),
        ("gateway/auth/allowTailscale", True, "would let in whoever has no token"),
        ("gateway/tailscale/mode", "funnel", _LISTENS),
        ("gateway/trustedProxies", ["192.0.2.1"], "would believe the headers of a proxy"),
        ("gateway/allowRealIpFallback", True, "would believe a header"),
        ("gateway/terminal/enabled", True, _ON_HOST),
        ("gateway/controlUi/allowedOrigins", ["*"], "would let other web pages give orders"),
        ("gateway/controlUi/dangerouslyAllowHostHeaderOriginFallback", True, "is dangerous in the gateway's own words"),
        ("gateway/nodes/pairing/autoApproveCidrs", ["0.0.0.0/0"], "would let in machines unasked"),
        ("discovery/mdns/mode", "full", _LISTENS),
        ("channels/telegram/configWrites", True, "would let a chat change the configuration"),
        ("channels/discord/dangerouslyAllowNameMatching", True, "is dangerous in the gateway's own words"),
        ("hooks/gmail/allowUnsafeExternalContent", True, "is dangerous in the gateway's own words"),
        ("env/shellEnv/enabled", True, "would read a shell's environment"),
        ("tools/exec/host", "gateway", _ON_HOST),
        ("tools/exec/host", "node", _ON_HOST),
        ("tools/exec/applyPatch/workspaceOnly", False, _ON_HOST),
        ("tools/elevated/enabled", True, _ON_HOST),
        ("tools/elevated/allowFrom/telegram", ["1"], _ON_HOST),
        ("agents/entries/x/tools/exec/host", "gateway", _ON_HOST),
        ("agents/entries/x/tools/elevated/enabled", True, _ON_HOST),
        ("commands/bash", True, _ON_HOST),
        ("acp/enabled", True, _ON_HOST),
        ("agents/defaults/sandbox/mode", "off", "would run the agent's tools on the host"),
        ("agents/entries/x/sandbox/mode", "non-main", "would run the agent's tools on the host"),
        ("agents/defaults/sandbox/backend", "docker", _WALLS),
        ("agents/defaults/sandbox/docker/network", "bridge", _WALLS),
        ("agents/entries/x/sandbox/docker/network", "bridge", _WALLS),
        ("agents/defaults/sandbox/docker/readOnlyRoot", False, _WALLS),
        ("agents/defaults/sandbox/docker/capDrop", [], _WALLS),
        ("agents/defaults/sandbox/docker/user", "0:0", _WALLS),
        ("agents/defaults/sandbox/docker/binds", ["/srv/x:/x:rw"], _WALLS),
        ("agents/defaults/sandbox/docker/seccompProfile", "/srv/x.json", _WALLS),
        ("agents/defaults/sandbox/docker/dangerouslyAllowReservedContainerTargets", True, _WALLS),
        ("agents/defaults/sandbox/docker/memory", "0", "would take a limit away"),
        ("agents/entries/x/sandbox/docker/memorySwap", "-1", "would take a limit away"),
        ("agents/defaults/sandbox/browser/enabled", True, _WALLS),
        ("agents/defaults/sandbox/workspaceRoot", "/srv/x", _WALLS),
        ("secrets/providers/hostfile/path", "/srv/x.json", "has a variable of its own. Set gateway_secrets"),
        ("messages/groupChat/mentionPatterns", ["(?i)pot"], "'(?i)pot' has flags of its own"),
        ("agents/entries/x/groupChat/mentionPatterns", ["\\Apot"], "means the letter A"),
        ("models/providers/rack", {"baseUrl": "https://k:s@example.org", "models": []}, "holds a secret as plain text"),
        ("mcp/servers/x", {"url": "https://example.org", "headers": {"Authorization": "Bearer x"}}, "holds a secret as plain text"),
        ("mcp/servers/x", {"command": "x", "env": {"OPENAI_API_KEY": "x"}}, "holds a secret as plain text"),
    ]
}
# Extras that open nothing.
HARMLESS: dict[str, dict[str, Any]] = {
    f"{path} = {value!r}": _extra(path, value)
    for path, value in [
        ("channels/telegram/allowFrom", ["42"]),
        ("channels/discord/guilds/78/users", ["4200042"]),
        ("channels/discord/guilds/78", {"channels": {"7": {"users": ["4200042"]}}}),
        ("gateway/bind", "loopback"),
        ("gateway/auth/token", _REFERENCE),
        ("gateway/auth/rateLimit/maxAttempts", 5),
        ("tools/exec/host", "sandbox"),
        ("tools/allow", ["*"]),
        ("agents/entries/x/sandbox/mode", "all"),
        ("agents/entries/x/sandbox/workspaceAccess", "ro"),
        ("agents/defaults/sandbox/docker/pidsLimit", 20),
        ("agents/defaults/sandbox/docker/env/LANG", "C"),
        ("agents/defaults/sandbox/browser/enabled", False),
        ("agents/defaults/contextTokens", 50000),
        ("messages/groupChat/mentionPatterns", ["pot"]),
        ("session/dmScope", "main"),
        ("mcp/servers/x", {"url": "https://example.org/@x"}),
    ]
}
