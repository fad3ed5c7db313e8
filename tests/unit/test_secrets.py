# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding which secrets a host shall hold."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lobsterpot import secrets
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.text(st.characters(exclude_characters="/~", exclude_categories=["Cs"]), min_size=1)
VALUES = st.text().filter(lambda text: bool(text.strip()))


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, inner, min_size=1, max_size=3)


TREES = st.dictionaries(NAMES, st.recursive(VALUES, nested, max_leaves=6), max_size=4)
FLAT = st.dictionaries(st.sampled_from(["/a", "/b", "/c", "/d/e", "/d/f"]), VALUES)


def test_flatten() -> None:
    """Names are JSON pointers, as the gateway's configuration refers to them."""
    tree = {"gateway": {"token": "t"}, "telegram": {"default": {"botToken": "b"}}, "key": "k"}
    assert secrets.flatten(tree) == {"/gateway/token": "t", "/telegram/default/botToken": "b", "/key": "k"}


@given(TREES)
def test_nest_undoes_flatten(tree: dict[str, Any]) -> None:
    """What is read back from the file is what was given, whatever the names and values."""
    assert secrets.nest(secrets.flatten(tree)) == tree


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a/b": "v"}, "/a/b: a secret's name is text without / and ~"),
        ({"a": {"b~0": "v"}}, "/a/b~0: a secret's name is text without / and ~"),
        ({"": "v"}, "/: a secret's name is text without / and ~"),
        ({1: "v"}, "/1: a secret's name is text without / and ~"),
        ({"a": ""}, "/a: the secret is empty or no text"),
        ({"a": {"b": " \n"}}, "/a/b: the secret is empty or no text"),
        ({"a": None}, "/a: the secret is empty or no text"),
        ({"a": 123456789}, "/a: the secret is empty or no text"),
        ({"a": ["hunter2"]}, "/a: the secret is empty or no text"),
        ({"a": True}, "/a: the secret is empty or no text"),
    ],
)
def test_flatten_refuses_what_is_no_secret(tree: dict[Any, Any], message: str) -> None:
    """An empty secret is a forgotten one; the message has the name and not the value."""
    with pytest.raises(LobsterpotError) as error:
        secrets.flatten(tree)
    assert str(error.value) == message


def test_a_value_is_generated_once() -> None:
    """The token lives until the operator replaces it, or every paired client would be locked out."""
    first = secrets.plan({}, {}, ["/gateway/token"])
    second = secrets.plan(first.after, {}, ["/gateway/token"])
    assert first.changed is True
    assert second.changed is False
    assert second.after == first.after


def test_a_generated_value_is_strong() -> None:
    """256 bits, in base64url 43 characters, above the 24 that the gateway's audit wants, and never the same."""
    values = {secrets.plan({}, {}, ["/t"]).after["/t"] for _ in range(100)}
    assert {len(value) for value in values} == {43}
    assert len(values) == 100


def test_a_given_value_wins() -> None:
    """The operator's word stands above a value that was generated earlier."""
    decided = secrets.plan({"/gateway/token": "old"}, {"/gateway/token": "given"}, ["/gateway/token"])
    assert decided.after == {"/gateway/token": "given"}


def test_what_is_not_named_goes() -> None:
    """A secret that was taken from the inventory does not stay on the host."""
    decided = secrets.plan({"/old": "x", "/kept": "y"}, {"/kept": "y"}, [])
    assert decided.after == {"/kept": "y"}
    assert decided.changed is True


@given(FLAT, FLAT, st.lists(st.sampled_from(["/a", "/b", "/c", "/d/e"])))
def test_a_plan_settles(before: dict[str, str], given_: dict[str, str], generated: list[str]) -> None:
    """After one run there is nothing left to do, whatever was there before."""
    first = secrets.plan(before, given_, generated)
    second = secrets.plan(first.after, given_, generated)
    assert second.changed is False
    assert set(first.after) == set(given_) | set(generated)
    assert all(first.after[name] == value for name, value in given_.items())
    assert all(first.after[name] == before[name] for name in generated if name in before and name not in given_)


def test_the_summary_has_names_only() -> None:
    """What is shown to people, and to logs, holds no value."""
    decided = secrets.plan({"/a": "one", "/b": "two", "/c": "three"}, {"/b": "TWO", "/c": "three", "/d": "four"}, [])
    assert decided.summary() == {"added": ["/d"], "removed": ["/a"], "replaced": ["/b"]}
    assert secrets.plan({"/a": "x"}, {"/a": "x"}, []).summary() == {"added": [], "removed": [], "replaced": []}


@pytest.mark.parametrize("name", ["gateway/token", "", "/", "/gateway/to~ken", "/gateway//token"])
def test_a_name_to_generate_must_be_one(name: str) -> None:
    """Such a name lands elsewhere in the file: a new token on every run, or a file that cannot be read again."""
    with pytest.raises(LobsterpotError):
        secrets.plan({}, {}, [name])


@pytest.mark.parametrize(("given_", "generated"), [("/gateway", "/gateway/token"), ("/gateway/token", "/gateway")])
def test_a_secret_cannot_hold_another(given_: str, generated: str) -> None:
    """One of the two would be lost: the given value is overwritten, or writing crashes."""
    with pytest.raises(LobsterpotError):
        secrets.plan({}, {given_: "value"}, [generated])
