# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a virtual machine: sizes, names and plans."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.vm import Plan, Size, check_name, check_owner, parse_size, plan, text
from hypothesis import given
from hypothesis import strategies as st

MIB = 1048576
GIB = 1073741824

SIZES = st.builds(Size, st.integers(1, 64), st.integers(512 * MIB, 256 * GIB), st.integers(GIB, 4096 * GIB))
STATES = st.sampled_from(["running", "stopped", "absent"])
FOUND_STATES = st.sampled_from(["running", "stopped", "suspended", "unknown", "starting"])


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("1", 1),
        ("512M", 536870912),
        ("4G", 4294967296),
        ("4g", 4294967296),
        ("4GB", 4294967296),
        ("4GiB", 4294967296),
        (" 4 GiB ", 4294967296),
        ("1.5G", 1610612736),
        ("20.0GiB", 21474836480),
        ("2T", 2199023255552),
        ("16K", 16384),
        ("1.2KiB", 1228),
        ("7B", 7),
    ],
)
def test_parse_size(written: str, size: int) -> None:
    """Powers of 1024, floored, whatever the unit is called: as qemu and multipass read them."""
    assert parse_size("disk", written) == size


@pytest.mark.parametrize(
    "written", ["", "G", "-4G", "4,5G", "4P", "4Gb/s", ".5G", "4.G", "0x10", "1e3", "4 5G", "4G\n4G", "inf", "{{ x }}", "9" * 400]
)
def test_what_is_no_size_is_refused(written: str) -> None:
    """The message names the option, repeats the value and shows a right one."""
    with pytest.raises(LobsterpotError) as error:
        parse_size("memory", written)
    assert str(error.value) == f"memory: {written!r} is not a size. Write a number and a unit, such as 4G or 512M."


@given(st.integers(0, 2**50))
def test_a_number_of_bytes_is_itself(size: int) -> None:
    """A size that was computed passes through text unchanged, up to a pebibyte."""
    assert parse_size("disk", str(size)) == size


@given(st.integers(0, 9999), st.sampled_from("KMGT"), st.sampled_from(["", "B", "iB", "b", "ib"]))
def test_units_are_steps_of_1024(number: int, unit: str, ending: str) -> None:
    """However it is written, a unit is worth the same."""
    factor = {"K": 1024, "M": 1048576, "G": 1073741824, "T": 1099511627776}[unit]
    assert parse_size("disk", f"{number}{unit}{ending}") == number * factor
    assert parse_size("disk", f"{number}{unit.lower()}{ending}") == number * factor


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_error(written: str) -> None:
    """Nothing that a person can write ends in a traceback."""
    try:
        assert parse_size("disk", written) >= 0
    except LobsterpotError as error:
        assert repr(written) in str(error)


@pytest.mark.parametrize("name", ["a", "A", "lobsterpot", "pot-2", "a--b", "a" * 63, "Pot-Of-9"])
def test_check_name(name: str) -> None:
    """What a host, a file and multipass can be called alike."""
    check_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "2a", "a.b", "a_b", "a b", "a/b", "..", "a\n", "é", "a" * 64, "--all", "a;b", "\uff41"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """A name that is an option or a path would reach another machine, or another file."""
    with pytest.raises(LobsterpotError) as error:
        check_name(name)
    assert str(error.value) == f"name: {name!r} cannot name a virtual machine. Use letters, digits and hyphens, a letter first, 63 at most."


@given(st.text(max_size=70))
def test_an_accepted_name_is_harmless(name: str) -> None:
    """Whatever passes is ASCII without a separator, a dot, or a hyphen at either end."""
    try:
        check_name(name)
    except LobsterpotError:
        return
    assert name.isascii()
    assert name.replace("-", "").isalnum()
    assert name[0].isalpha()
    assert name[-1] != "-"
    assert len(name) <= 63


@pytest.mark.parametrize(
    "record",
    [{}, {"owner": "/mine"}, {"provider": "qemu", "owner": "/mine", "name": "pot"}, {"provider": "qemu", "owner": "/mine", "made": False}],
)
def test_a_name_that_is_ours(record: dict[str, object]) -> None:
    """A machine of this inventory, half made or whole, and a folder with nothing foreign in it."""
    check_owner("qemu", "pot", "/mine", "/vms/pot", record=record, foreign=[])


@pytest.mark.parametrize(
    ("record", "foreign", "whose"),
    [
        ({"owner": "/theirs"}, [], "belongs to the inventory /theirs"),
        ({"provider": "multipass"}, [], "belongs to a machine of multipass"),
        ({"name": "kettle"}, [], "is taken: /vms/pot belongs to the machine kettle"),
        ({}, ["a", "b", "c", "d"], "is taken: /vms/pot holds a, b, c"),
    ],
)
def test_a_name_that_is_not(record: dict[str, object], foreign: list[str], whose: str) -> None:
    """Neither taken over nor removed."""
    with pytest.raises(LobsterpotError) as error:
        check_owner("qemu", "pot", "/mine", "/vms/pot", record=record, foreign=foreign)
    assert str(error.value) == f"The name pot {whose}. Set vm_name to another one."


HAVE = Size(2, 4 * GIB, 20 * GIB)


@pytest.mark.parametrize(
    ("state", "found", "found_state", "wanted", "expected"),
    [
        ("running", None, "", HAVE, (None, {"state": "running", "cpus": 2, "memory": 4 * GIB, "disk": 20 * GIB})),
        ("absent", None, "", HAVE, (None, None)),
        ("absent", HAVE, "stopped", HAVE, ({"state": "stopped", "cpus": 2, "memory": 4 * GIB, "disk": 20 * GIB}, None)),
        (
            "stopped",
            HAVE,
            "running",
            Size(4, 2 * GIB, 21 * GIB),
            (
                {"state": "running", "cpus": 2, "memory": 4 * GIB, "disk": 20 * GIB},
                {"state": "stopped", "cpus": 4, "memory": 2 * GIB, "disk": 21 * GIB},
            ),
        ),
    ],
)
def test_plan(state: str, found: Size | None, found_state: str, wanted: Size, expected: tuple[object, object]) -> None:
    """What is there, and what shall be."""
    planned = plan(state, found, found_state, wanted)
    assert (planned.before, planned.after) == expected


def test_a_disk_does_not_shrink() -> None:
    """Both sizes and the ways out are in the message."""
    with pytest.raises(LobsterpotError) as error:
        plan("running", HAVE, "stopped", Size(2, 4 * GIB, 20 * GIB - MIB))
    assert str(error.value) == (
        "disk: the machine's disk has 20480 MiB, and making it smaller (20479 MiB) would destroy what is on it. "
        "Give it at least what it has, or remove the machine first."
    )


def test_a_machine_that_goes_may_have_any_disk() -> None:
    """`absent` with the smaller size of the defaults is no shrinking."""
    assert plan("absent", HAVE, "running", Size(1, GIB, GIB)).after is None


@given(STATES, st.none() | SIZES, FOUND_STATES, SIZES)
def test_a_plan_settles_and_never_shrinks_a_disk(state: str, found: Size | None, found_state: str, wanted: Size) -> None:
    """Carried out, a plan leaves nothing to do; and no plan has a smaller disk than there is, for whatever is asked."""
    try:
        planned = plan(state, found, found_state, wanted)
    except LobsterpotError:
        assert found is not None
        assert state != "absent"
        assert wanted.disk < found.disk
        return
    if planned.after is None:
        assert state == "absent"
        assert not plan(state, None, "", wanted).changed
        return
    assert planned.after == {"state": state, "cpus": wanted.cpus, "memory": wanted.memory, "disk": wanted.disk}
    assert found is None or wanted.disk >= found.disk
    assert not plan(state, wanted, state, wanted).changed


@given(st.none() | SIZES, FOUND_STATES, SIZES)
def test_changed_is_what_the_diff_shows(found: Size | None, found_state: str, wanted: Size) -> None:
    """A change that the diff hides, or a diff without a change, would mislead whoever reads check mode."""
    planned = plan("absent" if found and wanted.disk < found.disk else "running", found, found_state, wanted)
    shown = planned.diff()
    assert planned.changed is (shown["before"] != shown["after"])


def test_text() -> None:
    """A machine as JSON that ends in a line; none is empty."""
    assert text({"state": "running", "cpus": 2}) == '{\n  "state": "running",\n  "cpus": 2\n}\n'
    assert text(None) == ""
    assert json.loads(Plan(None, {"cpus": 2}).diff()["after"]) == {"cpus": 2}
