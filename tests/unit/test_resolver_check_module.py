# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the host's resolvers as a user. A resolver on loopback answers, or does not."""

from __future__ import annotations

import importlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.conftest import RunModule

QUESTION = bytes.fromhex("4c50010000010000000000000000020001")


@pytest.fixture
def resolver_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> Any:
    """The module, on a host whose resolvers the test names, on a port that needs no privilege."""
    module = importlib.import_module("resolver_check")
    monkeypatch.setattr(module, "RESOLV_CONF", tmp_path / "resolv.conf")
    monkeypatch.setattr(module, "ASK", module.ASK.replace("(server, 53,", f"(server, {port},"))
    return module


@pytest.fixture
def port() -> Iterator[int]:
    """A resolver on 127.0.0.1 that refuses every question, which is an answer."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            question, peer = listening.recvfrom(512)
            if question == b"end":
                return
            listening.sendto(question[:2] + b"\x81\x05" + question[4:], peer)

    thread = threading.Thread(target=answer)
    thread.start()
    yield listening.getsockname()[1]
    listening.sendto(b"end", listening.getsockname())
    thread.join()
    listening.close()


ARGUMENTS = {"user": "root", "seconds": 0.2}


def test_one_answer_is_enough(run_module: RunModule, resolver_check: Any) -> None:
    """Each is asked and named; a host goes on with the one that answers. Check mode asks as well."""
    resolver_check.RESOLV_CONF.write_text("search example\n# nameserver 127.0.0.9\nnameserver 127.0.0.1\nnameserver 127.0.0.2%lo # old\n")
    for check in (False, True):
        result = run_module("resolver_check", ARGUMENTS, check=check)
        assert result["changed"] is False
        assert result["answers"] == {"127.0.0.1": "answered", "127.0.0.2": "Connection refused"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nameserver 127.0.0.2\n", "No resolver answers root (127.0.0.2: Connection refused)."),
        ("", "No resolver answers root (/etc/resolv.conf names none)."),
    ],
)
def test_none_answers(run_module: RunModule, resolver_check: Any, content: str, words: str) -> None:
    """The reason of each is said."""
    resolver_check.RESOLV_CONF.write_text(content)
    assert run_module("resolver_check", ARGUMENTS, fails=True)["msg"] == words


def test_a_silent_one(run_module: RunModule, resolver_check: Any, port: int) -> None:
    """Silence ends by itself."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.3", port))
    resolver_check.RESOLV_CONF.write_text("nameserver 127.0.0.3\n")
    assert "127.0.0.3: it is silent, asked 3 times within 1 s)" in run_module("resolver_check", ARGUMENTS, fails=True)["msg"]
    silent.close()


@pytest.mark.usefixtures("resolver_check")
def test_no_resolv_conf_or_user(run_module: RunModule, resolver_check: Any) -> None:
    """A host without the file, or without the user, gets a message and no trace."""
    assert "No such file" in run_module("resolver_check", ARGUMENTS, fails=True)["msg"]
    resolver_check.RESOLV_CONF.write_text("nameserver 127.0.0.1\n")
    assert "no-such-user" in run_module("resolver_check", {"user": "no-such-user"}, fails=True)["msg"]


def test_the_question() -> None:
    """RFC 1035: one question, recursion desired, for NS of the root."""
    assert QUESTION.hex() in importlib.import_module("resolver_check").ASK
    assert QUESTION[4:6] == b"\0\1"
    assert QUESTION[12:] == b"\0\0\2\0\1"
