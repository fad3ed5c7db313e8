"""Run attacks and mutations on the host that LAB_HOST names."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TextIO

import pytest

from tests.redteam import book
from tests.redteam.book import Attack, Mutation
from tests.redteam.judge import CONTAINED, WON
from tests.redteam.report import SKIPPED, Result
from tests.redteam.scene import Scene


def everything(attacks: Iterable[Attack], mutations: Iterable[Mutation], progress: TextIO) -> list[Result]:
    """Run all of them; a line for each goes to `progress` at once."""
    results = []
    with Scene() as scene:
        work: list[Attack | Mutation] = [*attacks, *mutations]
        for item in work:
            begin = time.monotonic()
            result = one(scene, item) if isinstance(item, Attack) else mutated(scene, item)
            results.append(result)
            words = (f"{time.monotonic() - begin:5.1f} s", "      " if result.good else "WRONG ", result.state, result.name, result.why)
            print(*words, file=progress, flush=True)
    return results


def one(scene: Scene, attack: Attack) -> Result:
    """One attack: contained, or known to succeed."""
    if attack.where == "vm":
        return Result(attack.actor, attack.id, SKIPPED, "only a virtual machine can show it", good=True)
    verdict = scene.attack(attack)
    return Result(attack.actor, attack.id, verdict.state, verdict.why, good=verdict.as_expected(attack), residual=bool(attack.residual))


def mutated(scene: Scene, mutation: Mutation) -> Result:
    """With the control off the attack must succeed, with it on again it must not."""
    attack = next(attack for attack in book.attacks() if attack.id == mutation.attack)
    try:
        with scene.without(mutation):
            off = scene.attack(attack)
        on = scene.attack(attack)
    except (SystemExit, pytest.fail.Exception) as error:
        return Result("mutation", mutation.id, "not switched", f"{attack.id}: {error}", good=False)
    if mutation.redundant and off.state != WON and on.state == CONTAINED:
        return Result("mutation", mutation.id, "redundant", mutation.redundant, good=True)
    if off.state != WON:
        return Result("mutation", mutation.id, "not noticed", f"{attack.id}: {off.state} {off.why}", good=False)
    if on.state != CONTAINED:
        return Result("mutation", mutation.id, "not restored", f"{attack.id}: {on.state} {on.why}", good=False)
    return Result("mutation", mutation.id, "noticed", f"{attack.id}: {off.why}", good=True)
