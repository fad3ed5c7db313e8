"""What the operator reads: the table of a run, and the table of the threat model."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass

from tests import lab
from tests.redteam import book
from tests.redteam.judge import CONTAINED, WON

DOCUMENT = lab.ROOT / "docs" / "threat-model.md"
BEGIN = "<!-- made by `python3 -m tests.redteam --document` from tests/redteam; do not edit -->"
END = "<!-- end of what is made -->"
SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """One line of a run. good: as its file says."""

    actor: str
    name: str
    state: str
    why: str
    good: bool
    residual: bool = False
    seconds: float = 0


def as_json(results: list[Result]) -> str:
    return json.dumps({"good": all(result.good for result in results), "results": [asdict(result) for result in results]}, indent=2)


def as_table(results: list[Result]) -> str:
    """Attempted and contained by actor; then each attack that was not, and each surprise."""
    rows = [f"{'':<14}{'attempted':>10}{'contained':>11}{'known not':>11}{'wrong':>7}{'skipped':>9}"]
    for actor in [*book.ACTORS, "all"]:
        mine = [r for r in results if r.actor == actor or (actor == "all" and r.actor in book.ACTORS)]
        count = Counter(SKIPPED if r.state == SKIPPED else "wrong" if not r.good else "known" if r.residual else CONTAINED for r in mine)
        numbers = (len(mine) - count[SKIPPED], count[CONTAINED], count["known"], count["wrong"], count[SKIPPED])
        rows.append(f"{actor:<14}" + "".join(f"{number:>{width}}" for number, width in zip(numbers, (10, 11, 11, 7, 9), strict=True)))
    mutations = [r for r in results if r.actor == "mutation"]
    if mutations:
        rows.append(f"controls switched off: {len(mutations)}, noticed by an attack: {sum(r.state == 'noticed' for r in mutations)}")
        rows += [f"redundant: {r.name}: {r.why}" for r in mutations if r.state == "redundant"]
    notes = [r for r in results if not r.good or (r.residual and r.state == WON) or r.state == SKIPPED]
    rows += [f"{'WRONG' if not r.good else r.state if r.state == SKIPPED else 'known'}: {r.name}: {r.state}: {r.why}" for r in notes]
    return "\n".join(rows)


def document(text: str) -> str:
    """The threat model with its made part made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{made()}{END}{tail}"


def made() -> str:
    """Threats with their controls and attacks, then what succeeds and why."""
    attacks, mutations = book.attacks(), book.mutations()
    lines = ["", "| threat | control | attacks | with the control off |", "|---|---|---|---|"]
    for threat in book.threats():
        count = Counter(attack.actor for attack in attacks if attack.threat == threat.id)
        shown = [f"{number} by {book.ACTORS[actor]}" for actor, number in count.items()]
        off = [f"{m.control}: {f'nothing, {m.redundant}' if m.redundant else f'`{m.attack}`'}" for m in mutations if m.threat == threat.id]
        cells = (
            f"{threat.id} {threat.title}",
            threat.control,
            "; ".join([*shown, *([threat.also] if threat.also else [])]),
            "<br>".join(off),
        )
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", f"{len(attacks)} attacks in all. These succeed, and it is known:", ""]
    lines += [f"- `{attack.id}` ({attack.threat}): {attack.title}. {attack.residual}" for attack in attacks if attack.residual]
    return "\n".join([*lines, ""])
