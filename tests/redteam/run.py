"""Run attacks and mutations on the host that LAB_HOST names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

import pytest

from tests.redteam import book
from tests.redteam.book import Attack, Mutation
from tests.redteam.judge import CONTAINED, WON, Verdict
from tests.redteam.report import SKIPPED, Result
from tests.redteam.scene import Scene

Tell = Callable[[Result], None]


def everything(attacks: Sequence[Attack], mutations: Iterable[Mutation], progress: TextIO, *, restart: bool = False) -> list[Result]:
    """Run all of them, and the attacks once more after a restart; a line for each goes to `progress` at once."""
    results = []

    def tell(result: Result) -> None:
        results.append(result)
        words = (f"{result.seconds:5.1f} s", "      " if result.good else "WRONG ", result.state, result.name, result.why)
        print(*words, file=progress, flush=True)

    with Scene() as scene:
        attacked(scene, attacks, tell)
        for mutation in mutations:
            tell(mutated(scene, mutation))
        if restart:
            scene.restart()
            attacked(scene, attacks, tell)
        tell(nothing_left(scene))
    return results


def attacked(scene: Scene, attacks: Iterable[Attack], tell: Tell) -> None:
    """Tell of each attack whether it was contained, is known to succeed, or neither."""
    possible = [attack for attack in attacks if attack.where != "vm"]
    for attack in attacks:
        if attack not in possible:
            tell(Result(attack.actor, attack.id, SKIPPED, "only a virtual machine can show it", good=True))

    def judged(attack: Attack, verdict: Verdict, seconds: float) -> None:
        good, residual = verdict.as_expected(attack), bool(attack.residual)
        tell(Result(attack.actor, attack.id, verdict.state, verdict.why, good=good, residual=residual, seconds=seconds))

    scene.attacks(possible, judged)


def mutated(scene: Scene, mutation: Mutation) -> Result:
    """With the control off the attack must succeed, with it on again it must not."""
    begin = time.monotonic()
    attack = next(attack for attack in book.attacks() if attack.id == mutation.attack)

    def result(state: str, why: str) -> Result:
        good = state in ("noticed", "redundant")
        return Result("mutation", mutation.id, state, why, good=good, seconds=time.monotonic() - begin)

    try:
        with scene.without(mutation):
            off = scene.attack(attack)
        on = scene.attack(attack)
    except (SystemExit, pytest.fail.Exception) as error:
        return result("not switched", f"{attack.id}: {error}")
    if on.state != CONTAINED:
        return result("not restored", f"{attack.id}: {on.state} {on.why}")
    if off.state == WON:
        return result("noticed", f"{attack.id}: {off.why}")
    if mutation.redundant:
        return result("redundant", mutation.redundant)
    return result("not noticed", f"{attack.id}: {off.state} {off.why}")


def nothing_left(scene: Scene) -> Result:
    """No canary was seen outside in all that time, whichever attack carried it."""
    left = scene.outside()
    return Result("all", "canaries", "left" if left else "stayed", ", ".join(left), good=not left)
