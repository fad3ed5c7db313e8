"""The attacks, mutations and threats as they stand in the files of this folder, checked while they are read.

`attacks/ACTOR/NAME.yml`, one attack each:

    threat: S7                 the threat, one of threats.yml
    title: ...                 what the attacker wants, a few words
    do: ...                    gateway-user, neighbour: a shell script, which says WON when it got what it wanted
                               model: a tool and its arguments, or `say` and a text; one mapping or a list of them
                               friend, stranger: a message, or a mapping of text, name and group; or a list of them
    refused: ...               regular expression: what came back when it was tried and stopped; or a list, and all of them did. Without
                               it nothing is proven.
    won: ...                   regular expression on what came back; the default is a line that begins with WON
    won_on_host: ...           a shell script of root's afterwards; it succeeds when the attack did
    won_at: [lan]              roles of the arena that must get nothing
    look: ...                  a shell script of root's afterwards: its output is part of what came back
    operator: ...              a playbook that the operator then runs: its output is part of what came back
    before, after: ...         shell scripts of root's, around it
    inside: true               gateway-user: under the confinement of the gateway's unit, not in a plain shell
    alone: true                after all others, as it stops what they need
    where: vm                  only a virtual machine can show it
    residual: ...              it succeeds, and why that is accepted

In all of them `@loot@` is a canary that the attacker holds, `@user@` the gateway's user, `@host4@` and `@host6@` the host's addresses,
`@neighbour@` the neighbour's, `@ssh@` the port of SSH, `@friend@` the number of who is approved next, `@victim@` of whom the model
answers, `@lan@` and the like the addresses of the arena, `@seconds@` how long to wait for an answer that has to come, and `@start@`
for a gateway that starts. A shorter limit stands where nothing shall come. Root's scripts `before` and `switch_off` may say
`wait_until 'COMMAND'`.

A planted canary in what came back, or the loot outside, is a success of the attack, whatever else is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ACTORS = {
    "neighbour": "a neighbour on the network",
    "stranger": "a stranger who writes to the bot",
    "friend": "an approved friend",
    "model": "a hostile model",
    "gateway-user": "code that runs as the gateway's user",
}

Step = dict[str, Any]


@dataclass(frozen=True)
class Attack:
    """One attack; the fields are explained above."""

    actor: str
    name: str
    threat: str
    title: str
    do: str | Step | list[str | Step]
    refused: str | list[str]
    won: str = r"^WON\b"
    won_on_host: str = ""
    won_at: list[str] = field(default_factory=list)
    look: str = ""
    operator: str = ""
    before: str = ""
    after: str = ""
    inside: bool = False
    alone: bool = False
    where: str = ""
    residual: str = ""

    @property
    def id(self) -> str:
        return f"{self.actor}/{self.name}"

    @property
    def steps(self) -> list[Step]:
        """What it does, one step after the other; a text stands for a message."""
        steps = self.do if isinstance(self.do, list) else [self.do]
        return [{"text": step} if isinstance(step, str) else step for step in steps]

    @property
    def refusals(self) -> list[str]:
        return [self.refused] if isinstance(self.refused, str) else self.refused

    @property
    def speaks(self) -> bool:
        """Whether the model says something itself, beside calling tools."""
        return any("say" in step for step in self.steps)


@dataclass(frozen=True)
class Mutation:
    """A control, how it is switched off and on (by root's shell, or by a change of the configuration), and the attack that must notice.

    redundant: why none can, as another control stands behind it.
    """

    control: str
    threat: str
    attack: str
    switch_off: str = ""
    switch_on: str = ""
    config: Step = field(default_factory=dict)
    redundant: str = ""

    @property
    def id(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.control.lower()).strip("-")


@dataclass(frozen=True)
class Threat:
    """A threat, the controls against it, and what else in the tests shows them."""

    id: str
    title: str
    control: str
    also: str = ""


def read_attack(path: Path) -> Attack:
    """Read one attack. Raises ValueError for a file that could not fail as an attack."""
    try:
        attack = Attack(actor=path.parent.name, name=path.stem, **yaml.safe_load(path.read_text()))
        for pattern in (*attack.refusals, attack.won):
            re.compile(pattern)
    except (TypeError, re.error, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from error
    wrong = [
        (attack.actor not in ACTORS, "no such actor"),
        (not attack.refusals or not all(re.search(r"\w", pattern) for pattern in attack.refusals), "`refused` proves nothing"),
        (attack.inside and attack.actor != "gateway-user", "`inside` is for the gateway's user"),
        (attack.where not in ("", "vm"), "`where` is vm or nothing"),
    ]
    for is_wrong, what in wrong:
        if is_wrong:
            raise ValueError(f"{path}: {what}")
    return attack


def attacks() -> list[Attack]:
    """All attacks, actor by actor."""
    order = list(ACTORS)
    return sorted((read_attack(path) for path in HERE.glob("attacks/*/*.yml")), key=lambda attack: (order.index(attack.actor), attack.name))


def mutations() -> list[Mutation]:
    return [Mutation(**row) for row in yaml.safe_load((HERE / "mutations.yml").read_text())]


def threats() -> list[Threat]:
    return [Threat(**row) for row in yaml.safe_load((HERE / "threats.yml").read_text())]
