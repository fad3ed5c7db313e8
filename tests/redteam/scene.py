"""The stage: one converged host with canaries planted, a hostile model and a Telegram around it, and no way out but into the arena."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from types import TracebackType

import pytest

from tests import lab
from tests.lab import limits
from tests.lab.gateway import CONFIG, NAME, UNIT, USER, Host, wait_for
from tests.lab.network.closed import Arena
from tests.redteam import canaries
from tests.redteam.actors import Actors
from tests.redteam.book import ACTORS, Attack, Mutation, Step
from tests.redteam.chats import MODEL, TELEGRAM, Chats
from tests.redteam.judge import GATEWAYS_OWN, NOT_SHOWN, Verdict, judge

AWAY, STAGED = "/root/config.away", "/root/config.staged"  # the host's own, and with the arena's model and Telegram
READS = re.compile(r"@(\w+)@")
REPLACE = f"cat >{CONFIG}.new; chmod --reference={CONFIG} {CONFIG}.new; chown --reference={CONFIG} {CONFIG}.new; mv {CONFIG}.new {CONFIG}"


def merged(old: Step, new: Step) -> Step:
    """A configuration with a change."""
    return old | {key: merged(old.get(key, {}), value) if isinstance(value, dict) else value for key, value in new.items()}


class Scene:
    """A host on the stage; `with Scene() as scene` sets it up and leaves the host as it was.

    silent: no conversation, for who attacks in a shell. The gateway keeps its configuration, which saves its starting twice.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.host = Host()
        self.arena = Arena(NAME)
        self.chats = Chats(self.arena.space)
        self.actors = Actors(self.host, self.arena, self.chats)
        self.canaries: dict[str, str] = {}
        self.neighbours = (f"10.213.0.{number}" for number in range(200, 250))
        self.neighbour = ""
        self.ssh = ""

    # --------------------------------------------------------------------------------------------- set up, take down
    def __enter__(self) -> Scene:
        try:
            self.canaries = canaries.plant(self.host)
            self.ssh = self.host.run("sshd -T | sed -n 's/^port //p' | head -n 1").strip()
            self.arena.__enter__()
            self.arena.serve("scripted_model", MODEL)
            self.arena.serve("fake_telegram", TELEGRAM)
            if not self.silent:
                self.host.run(f"test ! -e {AWAY}; cp -a {CONFIG} {AWAY}")
                self.configure(self.settings(), AWAY)
                self.host.run(f"cp -a {CONFIG} {STAGED}")
            self.meet()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        canaries.uproot(self.host)
        self.actors.forget()
        self.host.run(f"rm -f {STAGED}; test ! -e {AWAY} || {{ cp -a {AWAY} {CONFIG}; rm {AWAY}; systemctl restart {UNIT}; }}")
        self.arena.__exit__(kind, error, trace)

    def meet(self) -> None:
        """New friends, and a neighbour at an address that was not banned yet for what it tried."""
        self.actors.meet()
        self.neighbour = next(self.neighbours)
        lab.run(*self.arena.exec("ip", "address", "add", f"{self.neighbour}/24", "dev", self.arena.cable))

    def restart(self) -> None:
        """Restart the host on the stage."""
        self.arena.restart()
        self.canaries |= canaries.secretive(self.host)
        self.host.wait_until_ready()
        self.meet()

    def settings(self) -> Step:
        """What the gateway's configuration gets: the model and the Telegram of the arena, at an address that stands for the internet."""
        outside = self.arena.addresses["public"]
        telegram = {
            "botToken": self.canaries[f"{GATEWAYS_OWN}bot token"],
            "apiRoot": f"http://{outside}:{TELEGRAM}",
            "dmPolicy": "pairing",
            "groupPolicy": "allowlist",
            "groups": {"*": {"requireMention": True}},
            "configWrites": False,
            "streaming": {"mode": "off"},
        }
        model = {"models": {"providers": {"scripted": {"baseUrl": f"http://{outside}:{MODEL}/v1"}}}}
        quiet = {"agents": {"defaults": {"heartbeat": {"every": "0m"}}}, "messages": {"inbound": {"debounceMs": 0}}}
        return {**model, **quiet, "gateway": {"reload": {"mode": "hybrid"}}, "channels": {"telegram": telegram}}

    def configure(self, change: Step, base: str) -> None:
        """Give the gateway a configuration with a change, and wait until it has effect.

        Most changes are taken while it runs. A channel that runs is stopped only after a long while: then it starts anew.
        """
        before, wanted = json.loads(self.host.run(f"cat {CONFIG}")), merged(json.loads(self.host.run(f"cat {base}")), change)
        if wanted == before:
            return
        anew = wanted.get("channels") != before.get("channels")
        if anew:
            self.host.run(f"systemctl stop {UNIT}")
            # After three starts that ended badly it starts no channel for five minutes; tests before this one had such.
            self.host.sql("DELETE FROM gateway_boot_lifecycle")
        now = self.host.run("date +%s.%N").strip()
        self.host.feed(REPLACE, json.dumps(wanted, indent=2))
        if anew:
            self.host.run(f"systemctl start {UNIT}")
        log = f"journalctl --unit {UNIT} --output cat --no-pager --since @{now}"
        applied = f"{log} | grep -Eq 'config hot reload applied|dynamic reads|starting provider'"
        deadline = time.monotonic() + limits.CONFIGURATION_TAKEN

        def taken() -> bool:
            nonlocal deadline
            if not anew and time.monotonic() > deadline:
                # "config reload superseded": it gave up the older change for the newer one, and took neither (2026.9.6).
                deadline += limits.GATEWAY
                self.host.run(f"systemctl restart {UNIT}")
            return self.host.code(applied) == 0

        wait_for(taken, "the gateway takes the configuration")
        self.host.wait_until_ready()

    # --------------------------------------------------------------------------------------------- attack
    def attacks(self, attacks: Iterable[Attack], judged: Callable[[Attack, Verdict, float], None]) -> None:
        """Let attacks happen, the actors side by side; at the end, one by one, those that stop what the others need."""
        together = [attack for attack in attacks if not attack.alone]
        lanes = [self.actors.batches([attack for attack in together if attack.actor == actor]) for actor in ACTORS]

        def play(lane: Iterable[list[Attack]]) -> None:
            for batch in lane:
                begin = time.monotonic()
                verdicts = self.attempt(batch)
                for attack in batch:
                    judged(attack, verdicts[attack.id], (time.monotonic() - begin) / len(batch))

        with ThreadPoolExecutor(len(lanes)) as pool:
            list(pool.map(play, lanes))
        play([attack] for attack in attacks if attack.alone)

    def attack(self, attack: Attack) -> Verdict:
        return self.attempt([attack])[attack.id]

    def attempt(self, batch: list[Attack]) -> dict[str, Verdict]:
        """Let attacks happen and judge them; none happens while the host has another way out than into the arena.

        What reaches the arena is held against each of them: which one it was, a run of each alone tells.
        """
        self.arena.check_closed()
        since = self.arena.mark()
        loot = {attack.id: f"loot{secrets.token_hex(12)}" for attack in batch}
        batch = [self.filled(attack, loot[attack.id]) for attack in batch]
        try:
            self.host.run("\n".join(attack.before for attack in batch))
            outcomes = self.actors.do(batch)
            seen = {playbook: self.operator(playbook) for playbook in {attack.operator for attack in batch} if playbook}
            won = self.won_on_host(batch)
            looks = {attack.id: self.host.run(attack.look, check=False) for attack in batch if attack.look}
        except (OSError, SystemExit, subprocess.SubprocessError, pytest.fail.Exception) as error:
            return {attack.id: Verdict(NOT_SHOWN, f"{type(error).__name__}: {error}") for attack in batch}
        finally:
            self.host.run("\n".join(f"(\n{attack.after}\n) || true" for attack in batch if attack.after))
            if any(attack.alone for attack in batch):
                self.host.wait_until_ready()
        reached = [event.role for event in self.arena.events(since=since)]
        verdicts = {}
        for attack in batch:
            outcome = outcomes[attack.id]
            outcome.came_back += "\n".join(["", seen.get(attack.operator, ""), looks.get(attack.id, "")])
            outcome.host_won, outcome.reached = attack.id in won, reached
            outcome.loot_left = bool(self.arena.leaked(loot[attack.id], since=since))
            verdicts[attack.id] = judge(attack, outcome, self.canaries)
        return verdicts

    def won_on_host(self, batch: list[Attack]) -> set[str]:
        """Those whose success the host shows."""
        looks = [
            f"if bash -euo pipefail -c {shlex.quote(attack.won_on_host)} >&2; then echo {attack.id}; fi"
            for attack in batch
            if attack.won_on_host
        ]
        return set(self.host.run("\n".join(looks)).split()) if looks else set()

    def filled(self, attack: Attack, loot: str) -> Attack:
        """The attack with loot of its own and the addresses of the day in its texts."""
        texts = json.loads(self.fill(json.dumps(asdict(attack)), loot))
        return replace(attack, **texts)

    def fill(self, text: str, loot: str = "") -> str:
        here = {"user": USER, "host4": self.host.ipv4, "host6": self.host.ipv6, "neighbour": self.neighbour, "ssh": self.ssh, "loot": loot}
        here |= {
            "friend": str(self.actors.next_friend),
            "victim": str(self.actors.victim),
            "seconds": str(limits.ATTACK_ANSWER),
            "start": str(int(limits.CONDITION)),
        }
        known = self.arena.addresses | here
        return READS.sub(lambda found: known.get(found[1], found[0]), text)

    def outside(self) -> list[str]:
        """Names of the canaries that were seen outside the host, in whatever was sent there: to the arena, by Telegram, to the model."""
        said = json.dumps(self.chats.sent())
        return [name for name, value in self.canaries.items() if value in said or self.chats.told(value) or self.arena.leaked(value)]

    def operator(self, name: str) -> str:
        """What the operator sees of a playbook."""
        done = self.arena.site(playbook=name)
        return done.stdout + done.stderr

    # --------------------------------------------------------------------------------------------- mutate
    @contextmanager
    def without(self, mutation: Mutation) -> Iterator[None]:
        """The host with one control switched off. A changed configuration stays until the next, or until `restore`."""
        if mutation.config:
            self.actors.meet()
        self.configure(json.loads(self.fill(json.dumps(mutation.config))), STAGED)
        try:
            if mutation.switch_off:
                self.host.run(self.fill(mutation.switch_off))
            yield
        finally:
            if mutation.switch_on:
                self.host.run(self.fill(mutation.switch_on))
                self.host.wait_until_ready()  # the gateway goes down and up with its user's manager

    def restore(self) -> None:
        """Give the gateway its configuration of before."""
        self.configure({}, STAGED)
        self.actors.meet()
