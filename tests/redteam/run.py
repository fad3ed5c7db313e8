"""Run attacks and mutations on the host that LAB_HOST names."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TextIO

import pytest

from tests import lab
from tests.lab.gateway import NAME
from tests.redteam import book
from tests.redteam.book import Attack, Mutation
from tests.redteam.judge import CONTAINED, WON, Verdict
from tests.redteam.report import SKIPPED, Result
from tests.redteam.scene import Scene

Tell = Callable[[Result], None]


def everything(attacks: Sequence[Attack], mutations: Sequence[Mutation], progress: TextIO, *, restart: bool = False) -> list[Result]:
    """Run all of them, with `restart` the attacks once more after one; a line for each goes to `progress` at once."""
    results = []

    def tell(result: Result) -> None:
        results.append(result)
        words = (f"{result.seconds:5.1f} s", "      " if result.good else "WRONG ", result.state, result.name, result.why)
        print(*words, file=progress, flush=True)

    with Scene() as scene:
        attacked(scene, attacks, tell)
        mutated(scene, mutations, tell)
        if restart:
            scene.restart()
            attacked(scene, attacks, tell)
        tell(nothing_left(scene))
    return results


def attacked(scene: Scene, attacks: Sequence[Attack], tell: Tell) -> None:
    """Tell of each attack whether it was contained, is known to succeed, or neither."""
    reasons = {attack.id: impossible(attack) for attack in attacks}
    for attack in attacks:
        if reasons[attack.id]:
            tell(Result(attack.actor, attack.id, SKIPPED, reasons[attack.id], good=True))

    def judged(attack: Attack, verdict: Verdict, seconds: float) -> None:
        good, residual = verdict.as_expected(attack), bool(attack.residual)
        tell(Result(attack.actor, attack.id, verdict.state, verdict.why, good=good, residual=residual, seconds=seconds))

    scene.attacks([attack for attack in attacks if not reasons[attack.id]], judged)


def impossible(attack: Attack) -> str:
    """Why an attack cannot be tried on this host, if it cannot."""
    if attack.where == "vm" and not lab.is_machine(NAME):
        return "only a virtual machine can show it"
    if attack.actor == "neighbour" and lab.is_machine(NAME):
        return "a machine has no neighbours but the computer that runs it: see tests/scenarios/vm"
    return ""


def mutated(scene: Scene, mutations: Sequence[Mutation], tell: Tell) -> None:
    """Without a control the attack named for it must succeed, each in turn. With all of them on again none may."""
    named = {attack.id: attack for attack in book.attacks() if attack.id in {mutation.attack for mutation in mutations}}
    off: dict[str, tuple[Verdict, float]] = {}
    on: dict[str, Verdict] = {}
    for mutation in mutations:
        begin = time.monotonic()
        try:
            with scene.without(mutation):
                verdict = scene.attack(named[mutation.attack])
        except (SystemExit, pytest.fail.Exception) as error:
            verdict = Verdict("not switched", str(error))
        off[mutation.id] = verdict, time.monotonic() - begin
    scene.restore()
    scene.attacks(list(named.values()), lambda attack, verdict, _: on.update({attack.id: verdict}))
    for mutation in mutations:
        verdict, seconds = off[mutation.id]
        state, why = verdict.state, f"{mutation.attack}: {verdict.why}"
        if on[mutation.attack].state != CONTAINED:
            state, why = "not restored", f"{mutation.attack}: {on[mutation.attack].why}"
        elif verdict.state == WON:
            state = "noticed"
        elif mutation.redundant and verdict.state != "not switched":
            state, why = "redundant", mutation.redundant
        tell(Result("mutation", mutation.id, state, why, good=state in ("noticed", "redundant"), seconds=seconds))


def nothing_left(scene: Scene) -> Result:
    """No canary was seen outside in all that time, whichever attack carried it."""
    left = scene.outside()
    return Result("all", "canaries", "left" if left else "stayed", ", ".join(left), good=not left)
