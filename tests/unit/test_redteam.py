"""The attacks' files, the judge, and the table that is made from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.gateway import NAME
from tests.lab.hosts import doors
from tests.lab.network.closed import Arena
from tests.redteam import book, report, run
from tests.redteam.book import Attack
from tests.redteam.judge import CONTAINED, NOT_SHOWN, WON, Outcome, judge

CANARIES = {"root's key": "canary1", "gateway token": "canary2"}


def attack(**further: object) -> Attack:
    fields: dict[str, object] = {
        "actor": "gateway-user",
        "name": "x",
        "threat": "S7",
        "title": "x",
        "do": "x",
        "refused": "Permission denied",
    }
    return Attack(**{**fields, **further})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome(ran=True, came_back="cat: Permission denied"), CONTAINED),
        (Outcome(ran=False, came_back="cat: Permission denied"), NOT_SHOWN),
        (Outcome(ran=True, came_back=""), NOT_SHOWN),
        (Outcome(ran=True, came_back="cat: command not found"), NOT_SHOWN),
        (Outcome(ran=True, came_back="Permission denied\nWON"), WON),
        (Outcome(ran=True, came_back="Permission denied\ncanary1"), WON),
        (Outcome(ran=True, came_back="Permission denied", host_won=True), WON),
        (Outcome(ran=True, came_back="Permission denied", reached=["lan"]), WON),
        (Outcome(ran=True, came_back="Permission denied", reached=["resolver"]), CONTAINED),
        (Outcome(ran=True, came_back="Permission denied", loot_left=True), WON),
        (Outcome(ran=False, came_back="canary1"), WON),
    ],
)
def test_verdicts(outcome: Outcome, state: str) -> None:
    """Any sign of success counts; containment needs a sign that it was tried and stopped."""
    assert judge(attack(won_at=["lan"]), outcome, CANARIES).state == state


def test_each_step_needs_its_sign() -> None:
    """Of several signs all are needed: an attack in steps could stop before the one that counts."""
    steps = attack(refused=["planted", "Permission denied"])
    assert judge(steps, Outcome(ran=True, came_back="planted\ncat: Permission denied"), CANARIES).state == CONTAINED
    assert judge(steps, Outcome(ran=True, came_back="planted"), CANARIES).state == NOT_SHOWN


def test_what_is_accepted() -> None:
    """A known residue must succeed, and may take what the gateway holds, but no other canary."""
    known = attack(residual="because")
    assert judge(known, Outcome(ran=True, came_back="canary2"), CANARIES).as_expected(known)
    assert not judge(known, Outcome(ran=True, came_back="canary1"), CANARIES).as_expected(known)
    assert not judge(known, Outcome(ran=True, came_back="Permission denied"), CANARIES).as_expected(known)
    assert not judge(attack(), Outcome(ran=True, came_back="canary2"), CANARIES).as_expected(attack())


def test_what_a_host_cannot_show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container has no kernel of its own, a machine no neighbour; all else is tried on both. A machine's packets are the laptop's."""
    monkeypatch.setattr(doors, "VMS", tmp_path)
    tries = [attack(where="vm"), attack(actor="neighbour"), attack()]
    assert [bool(run.impossible(each)) for each in tries] == [True, False, False]
    assert Arena(NAME).host == f"lp-{NAME}"
    (tmp_path / NAME).mkdir()
    assert [bool(run.impossible(each)) for each in tries] == [False, True, False]
    assert Arena(NAME).host == "lp-laptop"


@pytest.mark.parametrize(
    "text",
    [
        "threat: S7\ntitle: x\ndo: x\nrefused: '.*'",
        "threat: S7\ntitle: x\ndo: x\nrefused: []",
        "threat: S7\ntitle: x\ndo: x\nrefused: [denied, '.*']",
        "threat: S7\ntitle: x\ndo: x",
        "threat: S7\ntitle: x\ndo: x\nrefused: '(' ",
        "a: b",
    ],
)
def test_a_file_that_proves_nothing_is_refused(tmp_path: Path, text: str) -> None:
    """Without a sign of refusal an attack could pass by not running."""
    file = tmp_path / "gateway-user" / "x.yml"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ValueError, match=r"x\.yml"):
        book.read_attack(file)


def test_the_book_is_whole() -> None:
    """80 attacks and more, each against a known threat; each mutation names one of them; names are unique."""
    attacks, mutations, threats = book.attacks(), book.mutations(), book.threats()
    assert len(attacks) >= 80
    assert {attack.actor for attack in attacks} == set(book.ACTORS)
    assert {attack.threat for attack in attacks} | {mutation.threat for mutation in mutations} <= {threat.id for threat in threats}
    assert {mutation.attack for mutation in mutations} <= {attack.id for attack in attacks if not attack.residual}
    assert len({mutation.id for mutation in mutations}) == len(mutations)
    assert [mutation.id for mutation in mutations if not (mutation.config or (mutation.switch_off and mutation.switch_on))] == []


def test_the_threat_model_is_made_from_it() -> None:
    """docs/threat-model.md does not lag: python3 -m tests.redteam --document"""
    text = report.DOCUMENT.read_text()
    assert report.document(text) == text
