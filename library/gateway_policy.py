#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_policy
short_description: Turn the inventory's policy into configuration, egress rules and allowlists
description:
  - Runs on the controller, changes nothing and looks at nothing but its options.
  - Says all that is wrong in one message, each line with the name of the variable and the fix.
  - Options that bear the name of a variable take that variable; see the README of the role that it belongs to.
author: the Lobsterpot contributors
options:
  access_channels: {type: dict, default: {}, description: The variable.}
  access_open_confirmed: {type: list, elements: str, default: [], description: The variable.}
  access_people: {type: dict, default: {}, description: The variable.}
  account_home: {type: str, required: true, description: Home of the gateway's user.}
  egress_domains: {type: raw, default: [], description: The variable.}
  egress_exceptions: {type: raw, default: [], description: The variable.}
  egress_mode: {type: raw, default: guarded, description: The variable.}
  gateway_agent_rules: {type: list, elements: str, default: [], description: The variable.}
  gateway_agents: {type: dict, default: {}, description: The variable.}
  gateway_channels: {type: dict, default: {}, description: The variable.}
  gateway_command_owners: {type: list, elements: str, default: [], description: The variable.}
  gateway_config_extra: {type: dict, default: {}, description: The variable.}
  gateway_container_tools: {type: list, elements: str, default: [], description: The variable.}
  gateway_elevated_senders: {type: dict, default: {}, description: The variable.}
  gateway_keep_releases: {type: int, default: 3, description: The variable.}
  gateway_memory_max: {type: str, default: 2G, description: The variable.}
  gateway_mention_patterns: {type: list, elements: str, default: [], description: The variable.}
  gateway_model: {type: str, default: "", description: The variable.}
  gateway_model_keys: {type: dict, default: {}, description: The variable.}
  gateway_model_providers: {type: dict, default: {}, description: The variable.}
  gateway_plugins: {type: list, elements: str, default: [], description: The variable.}
  gateway_port: {type: int, default: 18789, description: The variable.}
  gateway_product: {type: str, default: openclaw, choices: [openclaw, clawdbot], description: The variable.}
  gateway_read_only: {type: bool, default: false, description: The variable.}
  gateway_reload_mode: {type: str, default: "off", choices: [hybrid, "off"], description: The variable.}
  gateway_runtime: {type: str, default: host, choices: [host, container], description: The variable.}
  gateway_secrets: {type: dict, default: {}, description: The variable.}
  gateway_session_scope:
    type: str
    default: per-channel-peer
    choices: [main, per-peer, per-channel-peer, per-account-channel-peer]
    description: The variable.
  gateway_token: {type: str, default: "", description: The variable.}
  gateway_tool_deny: {type: list, elements: str, default: [], description: The variable.}
  gateway_tool_profile: {type: str, default: "", description: The variable.}
  log_file: {type: str, required: true, description: Where the gateway logs.}
  proxy_url: {type: str, default: "", description: Proxy for all that goes out; empty for none.}
  sandbox_cpus: {type: float, default: 1, description: The variable.}
  sandbox_memory: {type: str, default: 1g, description: The variable.}
  sandbox_mode: {type: str, default: all, choices: [all, non-main], description: The variable.}
  sandbox_mounts: {type: dict, default: {}, description: The variable.}
  sandbox_pids_limit: {type: int, default: 256, description: The variable.}
  sandbox_scope: {type: str, default: session, choices: [session, agent, shared], description: The variable.}
  sandbox_workspace_access: {type: str, default: none, choices: [none, ro, rw], description: The variable.}
  secrets_file: {type: str, required: true, description: Where the gateway reads its secrets.}
  unknown_variables:
    description: Lines of the lookup plugin C(unknown_variables), told first, because a misspelled variable explains what follows.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Gateway | Turn the policy into a configuration
  gateway_policy:
    gateway_channels:
      telegram:
        dm_policy: pairing
    gateway_secrets:
      telegram:
        botToken: "{{ vault_telegram_bot_token }}"
    account_home: /home/openclaw
    secrets_file: /run/openclaw/secrets.json
    log_file: /home/openclaw/.openclaw/logs/gateway.log
  delegate_to: localhost
  become: false
"""

RETURN = r"""
config:
  description: The gateway's configuration, without the sandbox's image and list of system calls.
  returned: success
  type: dict
egress:
  description: >-
    What may leave. C(mode); C(exceptions) in the words of nftables, each with C(family), C(address), C(port), C(protocol) and C(comment);
    C(domains) in the words of squid, a dot in front where subdomains are meant too.
  returned: success
  type: dict
lists:
  description: The allowlists that are asked for, with C(channel), C(account) and C(entries) in the gateway's form.
  returned: success
  type: list
  elements: dict
notes:
  description: What is no mistake and yet may not be meant, a line for each.
  returned: success
  type: list
  elements: str
  sample: ["gateway_model: anthropic has no key in gateway_model_keys, so it may not answer."]
variables:
  description: Secrets that the gateway takes from its environment, as the variable's name to the secret's JSON pointer.
  returned: success
  type: dict
  sample: {CLAWDBOT_SECRET_GATEWAY_TOKEN: /gateway/token}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import egress, people
from ansible.module_utils.lobsterpot.agents import notes
from ansible.module_utils.lobsterpot.policy import environment, policy
from ansible.module_utils.lobsterpot.problems import Problems

TEXTS = {"type": "list", "elements": "str", "default": []}
NAMED = {"type": "dict", "default": {}}

ARGUMENT_SPEC = {
    "access_channels": NAMED,
    "access_open_confirmed": TEXTS,
    "access_people": NAMED,
    "account_home": {"type": "str", "required": True},
    "egress_domains": {"type": "raw", "default": []},
    "egress_exceptions": {"type": "raw", "default": []},
    "egress_mode": {"type": "raw", "default": "guarded"},
    "gateway_agent_rules": TEXTS,
    "gateway_agents": NAMED,
    "gateway_channels": NAMED,
    "gateway_command_owners": TEXTS,
    "gateway_config_extra": NAMED,
    "gateway_container_tools": TEXTS,
    "gateway_elevated_senders": NAMED,
    "gateway_keep_releases": {"type": "int", "default": 3},
    "gateway_memory_max": {"type": "str", "default": "2G"},
    "gateway_mention_patterns": TEXTS,
    "gateway_model": {"type": "str", "default": ""},
    "gateway_model_keys": {**NAMED, "no_log": True},
    "gateway_model_providers": NAMED,
    "gateway_plugins": TEXTS,
    "gateway_port": {"type": "int", "default": 18789},
    "gateway_product": {"type": "str", "default": "openclaw", "choices": ["openclaw", "clawdbot"]},
    "gateway_read_only": {"type": "bool", "default": False},
    "gateway_reload_mode": {"type": "str", "default": "off", "choices": ["hybrid", "off"]},
    "gateway_runtime": {"type": "str", "default": "host", "choices": ["host", "container"]},
    "gateway_secrets": {**NAMED, "no_log": True},
    "gateway_session_scope": {
        "type": "str",
        "default": "per-channel-peer",
        "choices": ["main", "per-peer", "per-channel-peer", "per-account-channel-peer"],
    },
    "gateway_token": {"type": "str", "default": "", "no_log": True},
    "gateway_tool_deny": TEXTS,
    "gateway_tool_profile": {"type": "str", "default": ""},
    "log_file": {"type": "str", "required": True},
    "proxy_url": {"type": "str", "default": ""},
    "sandbox_cpus": {"type": "float", "default": 1},
    "sandbox_memory": {"type": "str", "default": "1g"},
    "sandbox_mode": {"type": "str", "default": "all", "choices": ["all", "non-main"]},
    "sandbox_mounts": NAMED,
    "sandbox_pids_limit": {"type": "int", "default": 256},
    "sandbox_scope": {"type": "str", "default": "session", "choices": ["session", "agent", "shared"]},
    "sandbox_workspace_access": {"type": "str", "default": "none", "choices": ["none", "ro", "rw"]},
    "secrets_file": {"type": "str", "required": True},
    "unknown_variables": TEXTS,
}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    given, made, problems = module.params, dict[str, object](), Problems()
    if given["egress_mode"] == "allowlist" or given["proxy_url"]:
        problems.address("egress_proxy_url", given["proxy_url"], "the address of the proxy, as the role has it", "http://127.0.0.1:3128")
    with problems.noted():
        made["egress"] = egress.policy(given["egress_mode"], given["egress_exceptions"], given["egress_domains"])
    with problems.noted():
        made["lists"] = people.resolve(given["access_channels"], given["access_people"])
    config, wrong = policy(given, made)
    lines = list(dict.fromkeys([*given["unknown_variables"], *wrong, *problems.lines]))
    if lines:
        module.fail_json(msg="\n".join([*lines, "Nothing was changed."]))
    module.exit_json(changed=False, config=config, notes=notes(given), variables=environment(config, given), **made)


if __name__ == "__main__":
    main()
