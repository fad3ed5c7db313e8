# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a gateway that was set up by hand, in homes below a temporary directory."""

from __future__ import annotations

import importlib
import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.lobsterpot import adopt

from tests.lab.doubles.gateway_stores import KINDS, GatewayStore

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

SECRET = "6543:words-that-nobody-may-see"  # noqa: S105 - of no bot
UNIT = f"""[Service]
ExecStart="/usr/bin/node" "HOME/.npm-global/lib/node_modules/clawdbot/dist/entry.js" gateway --port 18789
Environment=CLAWDBOT_GATEWAY_TOKEN={SECRET}
Environment=CLAWDBOT_GATEWAY_PORT=18789
"""


class Homes:
    """Users of a host that the test makes up, and the options to look at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[pwd.struct_passwd] = []
        self.arguments: dict[str, Any] = {
            "gateway_user": "openclaw",
            "gateway_state": str(folder / "openclaw" / ".openclaw"),
            "managed": False,
            "record": str(folder / "adoption.json"),
        }

    def add(self, name: str) -> Path:
        home = self.folder / name
        home.mkdir()
        self.entries.append(pwd.struct_passwd((name, "x", os.getuid(), os.getgid(), "", str(home), "/bin/bash")))
        return home


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Homes:
    made = Homes(tmp_path)
    module = importlib.import_module("adopt_info")
    monkeypatch.setattr(module.pwd, "getpwall", lambda: made.entries)
    monkeypatch.setattr(module.as_user, "identity", lambda _user, _path: None)
    monkeypatch.setattr(module, "SYSTEM_UNITS", tmp_path / "units")
    monkeypatch.setattr(module, "stray", lambda _uid: [])
    return made


def by_hand(home: Path, product: str = "clawdbot", config: object = None, kind: str = "unscoped") -> GatewayStore:
    store = GatewayStore(kind, home / f".{product}")
    (store.folder / f"{product}.json").write_text(json.dumps(config or {}))
    return store


def test_nothing_is_there(run_module: RunModule, homes: Homes) -> None:
    """No home with a gateway: an empty directory, a link and what this project made are none."""
    (homes.add("empty") / ".openclaw").mkdir()
    (homes.add("linked") / ".clawdbot").symlink_to(homes.folder / "openclaw" / ".openclaw")
    by_hand(homes.add("openclaw"), "openclaw", kind="sqlite")
    result = run_module("adopt_info", {**homes.arguments, "managed": True})
    assert (result["install"], result["begun"], result["changed"]) == ({}, {}, False)


def test_all_that_is_told_of_one(run_module: RunModule, homes: Homes, snapshot: Snapshot) -> None:
    """Product, version, units, channels, senders, places of secrets and what is taken over; no secret, and nothing is touched."""
    home = homes.add("ada")
    config = {
        "gateway": {"auth": {"token": SECRET}},
        "models": {"providers": {"acme": {"apiKey": SECRET, "baseUrl": "https://example.org"}, "other": {"apiKey": "${OTHER_KEY}"}}},
        "channels": {
            "telegram": {"botToken": SECRET, "allowFrom": [7, "tg:8", "*"], "accounts": {"Work": {"allowFrom": ["9"]}}},
            "discord": {"dm": {"allowFrom": ["10000"]}},
            "signal": {"enabled": False},
        },
    }
    store = by_hand(home, config=config)
    store.approve("telegram", ["8", "42"])
    store.ask("telegram", {"43": "ABCD2345"})
    (store.folder / "agents").mkdir()
    (store.folder / "cron").mkdir()
    (home / "clawd").mkdir()
    (home / ".config/systemd/user/clawdbot-gateway.service.d").mkdir(parents=True)
    (home / ".config/systemd/user/clawdbot-gateway.service").write_text(UNIT.replace("HOME", str(home)))
    package = home / ".npm-global/lib/node_modules/clawdbot"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"version": "2026.1.24-3"}')
    before = snapshot(home)
    result = run_module("adopt_info", homes.arguments)
    found = result["install"]
    assert (found["user"], found["product"], found["version"]) == ("ada", "clawdbot", "2026.1.24-3")
    assert (found["units"], found["channels"]) == (["clawdbot-gateway.service"], ["discord", "telegram"])
    assert found["lists"] == [
        {"channel": "discord", "account": "default", "entries": ["10000"]},
        {"channel": "telegram", "account": "default", "entries": ["8", "42", "7"]},
        {"channel": "telegram", "account": "work", "entries": ["9"]},
    ]
    assert found["left_out"] == ["telegram/default: '*' lets everybody in"]
    assert found["pending"] == [{"channel": "telegram", "account": "default", "sender": "43"}]
    state, units = f"{home}/.clawdbot", f"{home}/.config/systemd/user"
    assert found["secrets"] == [
        f"{state}/clawdbot.json: channels.telegram.botToken",
        f"{state}/clawdbot.json: gateway.auth.token",
        f"{state}/clawdbot.json: models.providers.acme.apiKey",
        f"{units}/clawdbot-gateway.service: CLAWDBOT_GATEWAY_TOKEN",
    ]
    assert found["parts"] == {f"{state}/agents": "agents", f"{state}/credentials": "credentials", f"{home}/clawd": "workspace"}
    assert found["remove"] == [
        state,
        f"{home}/clawd",
        f"{units}/clawdbot-gateway.service",
        f"{units}/clawdbot-gateway.service.d",
    ]
    assert SECRET not in json.dumps(result)
    assert snapshot(home) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("product", ["openclaw", "moltbot"])
def test_every_form_of_store(run_module: RunModule, homes: Homes, kind: str, product: str) -> None:
    """Whatever the version keeps its senders in, they are found; its workspace lies in the state."""
    store = by_hand(homes.add("ada"), product, kind=kind)
    store.approve("telegram", ["42"])
    (store.folder / "workspace").mkdir()
    found = run_module("adopt_info", homes.arguments)["install"]
    assert (found["product"], found["lists"]) == (product, [{"channel": "telegram", "account": "default", "entries": ["42"]}])
    assert found["parts"][str(store.folder / "workspace")] == "workspace"
    assert found["remove"] == [str(store.folder)]


def test_workspaces_of_several_agents(run_module: RunModule, homes: Homes) -> None:
    """Those outside the state are taken along under the agent's name, instead of one in there that no agent uses; a link is not."""
    home = homes.add("ada")
    config = {"agents": {"defaults": {"workspace": "~/mine"}, "list": [{"id": "work", "workspace": str(home / "work")}]}}
    store = by_hand(home, "openclaw", config)
    for name in ("mine", "work"):
        (home / name).mkdir()
    (store.folder / "workspace").mkdir()
    (store.folder / "agents").symlink_to("/etc")
    result = run_module("adopt_info", homes.arguments, fails=True)
    assert f"{store.folder / 'agents'}: Not a directory" in result["msg"]
    (store.folder / "agents").unlink()
    found = run_module("adopt_info", homes.arguments)["install"]
    assert found["parts"] == {
        f"{store.folder}/credentials": "credentials",
        f"{home}/mine": "workspace",
        f"{home}/work": "workspace-work",
    }


def test_the_record_of_what_was_begun_counts(run_module: RunModule, homes: Homes) -> None:
    """A run that was broken off goes on by its record, whatever is left in the homes."""
    Path(homes.arguments["record"]).write_text('{"user": "ada", "taken": true}')
    result = run_module("adopt_info", homes.arguments)
    assert result["install"] == result["begun"] == {"user": "ada", "taken": True}


def several(homes: Homes) -> dict[str, Any]:
    by_hand(homes.add("ada"))
    by_hand(homes.add("bob"), "moltbot")
    return {}


def two_of_one(homes: Homes) -> dict[str, Any]:
    home = homes.add("ada")
    by_hand(home)
    by_hand(home, "openclaw")
    return {}


def nobody(homes: Homes) -> dict[str, Any]:
    by_hand(homes.add("ada"))
    return {"user": "eve"}


def without(homes: Homes) -> dict[str, Any]:
    by_hand(homes.add("ada"))
    homes.add("bob")
    return {"user": "bob"}


def the_gateways_own_user(homes: Homes) -> dict[str, Any]:
    by_hand(homes.add("openclaw"))
    return {}


def a_state_is_there(homes: Homes) -> dict[str, Any]:
    by_hand(homes.add("ada"))
    (homes.add("openclaw") / ".openclaw").mkdir()
    return {"managed": True}


def a_unit_of_the_system(homes: Homes) -> dict[str, Any]:
    by_hand(homes.add("ada"))
    (homes.folder / "units").mkdir()
    (homes.folder / "units" / "clawdbot.service").touch()
    return {}


def comments(homes: Homes) -> dict[str, Any]:
    store = by_hand(homes.add("ada"))
    (store.folder / "clawdbot.json").write_text("{ /* mine */ }")
    return {}


def includes(homes: Homes) -> dict[str, Any]:
    by_hand(homes.add("ada"), config={"channels": {"$include": "./channels.json"}})
    return {}


def state_elsewhere(homes: Homes) -> dict[str, Any]:
    home = homes.add("ada")
    by_hand(home)
    (home / ".config/systemd/user").mkdir(parents=True)
    (home / ".config/systemd/user/clawdbot-gateway-work.service").write_text('[Service]\nEnvironment="CLAWDBOT_PROFILE=work"\n')
    return {}


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (
            several,
            "There is more than one gateway: HOMES/ada/.clawdbot (ada), HOMES/bob/.moltbot (bob). Name the user: -e adopt_user=NAME.",
        ),
        (two_of_one, "ada has the state of more than one gateway: HOMES/ada/.openclaw (ada), HOMES/ada/.clawdbot (ada)."),
        (nobody, "adopt_user: there is no user eve on this host."),
        (without, "adopt_user: bob has no gateway in HOMES/bob. Found: HOMES/ada/.clawdbot (ada)."),
        (the_gateways_own_user, "account_user: openclaw runs the gateway that was made by hand, and loses its login."),
        (a_state_is_there, "HOMES/openclaw/.openclaw is there: the new gateway has a state already, which is never overwritten."),
        (a_unit_of_the_system, "HOMES/units/clawdbot.service runs a gateway too: disable and remove it"),
        (comments, "HOMES/ada/.clawdbot/clawdbot.json is no plain JSON. Remove comments"),
        (includes, "HOMES/ada/.clawdbot/clawdbot.json includes other files"),
        (state_elsewhere, "clawdbot-gateway-work.service sets PROFILE to work: only what lies in HOMES/ada/.clawdbot can be adopted."),
    ],
)
def test_refused(run_module: RunModule, homes: Homes, snapshot: Snapshot, prepare: Any, words: str) -> None:
    """What cannot be adopted is said, with the way out, and nothing is touched."""
    arguments = {**homes.arguments, **prepare(homes)}
    before = snapshot(homes.folder)
    said = run_module("adopt_info", arguments, fails=True)["msg"]
    assert words.replace("HOMES", str(homes.folder)) in said
    assert said.endswith("Nothing was changed.")
    assert snapshot(homes.folder) == before


def test_a_gateway_outside_of_its_units(run_module: RunModule, homes: Homes, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that somebody started in a terminal would go on writing."""
    by_hand(homes.add("ada"))
    monkeypatch.setattr(importlib.import_module("adopt_info"), "stray", lambda _uid: [4711])
    assert "runs outside of its units (process 4711): stop it" in run_module("adopt_info", homes.arguments, fails=True)["msg"]


def test_what_counts_as_a_process_of_it() -> None:
    """By its title or its program, unless a unit of it runs it; an editor on its files is none."""
    own = "/user.slice/user-1000.slice/user@1000.service/app.slice/clawdbot-gateway.service"
    login = "/user.slice/user-1000.slice/session-3.scope"
    assert adopt.stray(
        {
            1: (["clawdbot-gateway", ""], login),
            2: (["/usr/bin/node", "/home/ada/.npm-global/lib/node_modules/openclaw/dist/index.js", "gateway"], login),
            3: (["openclaw-gateway"], login),
            4: (["clawdbot-gateway"], own),
            5: (["vim", "/home/ada/.clawdbot/clawdbot.json"], login),
            6: (["tail", "-f", "openclaw.log"], login),
        }
    ) == [1, 2, 3]
