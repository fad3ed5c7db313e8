"""The conversations of a run: the model and the Telegram that the suite controls, and the people who write."""

from __future__ import annotations

import ctypes
import http.client
import json
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.lab import limits
from tests.lab.gateway import wait_for
from tests.lab.network.closed import SERVICES

MODEL, TELEGRAM = SERVICES


class Chats:
    """Speaks with the two doubles, which listen in the arena, for any number of threads at once."""

    def __init__(self, space: str) -> None:
        self.space = space

    def fetch(self, port: int, path: str, content: object = None) -> Any:
        """GET, or POST of JSON. The socket is made by a thread that has entered the namespace."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limits.CHAT)
        errors: list[OSError] = []

        def enter() -> None:
            with suppress(OSError), open(f"/run/netns/{self.space}") as space:  # noqa: PTH123 - only the number of the open file is wanted
                if ctypes.CDLL(None).setns(space.fileno(), 0x40000000) == 0:  # CLONE_NEWNET
                    connection.connect()
                    return
            errors.append(OSError(f"the double on port {port} cannot be reached"))

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        if content is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(content), {"content-type": "application/json"})
        try:
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def say(self, sender: int, text: str, **further: object) -> None:
        """Somebody writes to the bot; `chat` is a group, `name` another name."""
        self.fetch(TELEGRAM, "/test/say", {"sender": sender, "text": text, **further})

    def sent(self, since: int = 0, wait: float = 0) -> list[dict[str, Any]]:
        """All that left by Telegram, from a number on."""
        return list(self.fetch(TELEGRAM, f"/test/sent?since={since}&wait={wait}"))

    def told(self, word: str) -> list[dict[str, Any]]:
        """All that the model was told with this word in it: its requests."""
        return list(self.fetch(MODEL, f"/test/heard?with={word}"))

    def unread(self) -> int:
        """How many messages the bot has not taken yet."""
        return int(self.fetch(TELEGRAM, "/test/unread"))

    def ask(
        self, sender: int, text: str, *, answered: bool = True, given_up: Callable[[], bool] = lambda: False
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Write to the bot and wait for its answer, which repeats a word of ours; unless `answered`, for any message of the bot's, or until
        it has `given_up`.

        Return what the model was told in this conversation from then on, and what the bot sent there.
        """
        sent, tag = len(self.sent()), f"order-{secrets.token_hex(6)}"
        ends = (tag, "Something went wrong") if answered else ("",)
        self.say(sender, f"{text}\n({tag})")

        def replies() -> list[str]:
            return [str(message["text"]) for message in self.sent(sent, wait=5) if message["chat"] == sender]

        wait_for(lambda: any(end in reply for reply in replies() for end in ends) or given_up(), f"the bot answers {text[:60]}")
        return self.told(tag), replies()


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or [])
