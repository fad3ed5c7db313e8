# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading requests, finding the one that is meant, and what approving it adds."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.pairing import Request, approval_entry, find, normal_code, parse_request, seconds
from hypothesis import given
from hypothesis import strategies as st

RAW: dict[str, Any] = {
    "id": " 42 ",
    "code": "abcd2345",
    "createdAt": "2026-09-06T12:00:00.000Z",
    "lastSeenAt": "2026-09-06T12:01:00.000Z",
    "meta": {"accountId": "Work ", "firstName": "Ada", "empty": " ", "number": 7},
}


def request(channel: str = "telegram", sender: str = "42", code: str = "ABCD2345", **meta: str) -> Request:
    return Request(channel, "default", sender, code, 0, 0, meta)


def test_a_request_is_read_as_the_gateway_reads_it() -> None:
    """Trimmed, the account in small letters, what is no text left out."""
    read = parse_request("telegram", None, RAW)
    assert read == Request("telegram", "work", "42", "ABCD2345", 1788696000.0, 1788696060.0, {"accountId": "Work", "firstName": "Ada"})


def test_a_code_is_not_printed() -> None:
    """S7: a request in a log or an error does not give its code away."""
    assert "ABCD2345" not in repr(request())


@pytest.mark.parametrize("key", ["id", "code", "createdAt"])
@pytest.mark.parametrize("value", [None, "", " ", 7, [], "yesterday"])
def test_a_broken_request_counts_as_none(key: str, value: object) -> None:
    """The gateway drops it, so it cannot be approved; a plain word is a sender's or a code's own business."""
    read = parse_request("telegram", "default", {**RAW, key: value})
    assert read is None or (value == "yesterday" and key != "createdAt")


@pytest.mark.parametrize("text", ["2026-09-06T12:00:00", "12:00", "9999999", "", None, 5, "0001-01-01T00:00:00+23:59"])
def test_a_time_without_a_place_is_none(text: object) -> None:
    """A time that could be anybody's makes no request valid."""
    assert seconds(text) is None or text == "0001-01-01T00:00:00+23:59"


def test_a_request_is_valid_for_an_hour() -> None:
    """To the second, as the gateway has it."""
    assert not request().expired(3600.0)
    assert request().expired(3600.1)


def test_find_by_code_and_by_sender() -> None:
    """A code as it is, a sender in any spelling, an account when it is named."""
    other = Request("telegram", "work", "7", "ZZZZ2222", 0, 0)
    assert find([request(), other], "ABCD2345", None, None) == [request()]
    assert find([request(), other], None, "tg:7", None) == [other]
    assert find([request(), other], None, "7", "default") == []
    assert find([request(), other], "ZZZZ2222", None, "work") == [other]


@pytest.mark.parametrize("text", ["", "ABCD234", "ABCD23456", "ABCD234O", "ABCD2341", "ABCD234I", "ABCD-345", "*"])
def test_what_is_no_code_is_refused_without_showing_it(text: str) -> None:
    """S7, S14: one clear error; a mistyped code may be a code of somebody else."""
    with pytest.raises(LobsterpotError) as error:
        normal_code(text)
    assert str(error.value).startswith("code: a pairing code has 8 letters and digits")
    assert not text or text == "*" or text not in str(error.value)


def test_a_code_is_trimmed_and_case_blind() -> None:
    """As the gateway matches it."""
    assert normal_code(" abcd2345\n") == "ABCD2345"


def test_what_approving_adds() -> None:
    """The sender in the gateway's spelling; on Slack with the workspace, as its adapter has it."""
    assert approval_entry(request(sender="tg:42")) == "42"
    assert approval_entry(request("slack", "U0123ABCD")) == "U0123ABCD"
    assert approval_entry(request("slack", "U0123ABCD", teamId="T1", senderId="U0123ABCE")) == "team:T1:user:U0123ABCE"
    assert approval_entry(request("slack", "U0123ABCD", teamId="nonsense")) == "U0123ABCD"


@pytest.mark.parametrize("sender", ["*", "tg:*", "4\u200b2", "{{ x }}", "9" * 300])
def test_a_hostile_sender_is_never_approved(sender: str) -> None:
    """S8: nobody gets everybody in, or an invisible twin, by the name they asked under."""
    with pytest.raises(LobsterpotError, match="never approved"):
        approval_entry(request(sender=sender))


def test_reef_is_left_to_the_gateway() -> None:
    """Its approval is a token, not a sender."""
    with pytest.raises(LobsterpotError, match="channel: reef"):
        approval_entry(request("reef", "ada"))


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_request_raises(value: Any) -> None:
    """Whatever lies in a store is read or left out."""
    parse_request("telegram", value, value if isinstance(value, dict) else {"id": value, "code": value, "createdAt": value, "meta": value})
