"""A Telegram Bot API on loopback: the stand-in for Telegram, and for the people who write to the bot.

It imitates https://core.telegram.org/bots/api as far as the gateways use it: `getMe`, `getUpdates` with offset and long poll, `sendMessage`
and its relatives, which return a message, files included (the text is then the whole form); every other method answers `true`. Tokens are
not checked. Four addresses are for the test alone:

    POST /test/say   {"sender": 42, "text": "hello"}   somebody writes to the bot in a private chat; in a group with "chat": -7, under
                                                       another name with "name"
    GET  /test/sent?since=0&wait=0                     all that the bot has sent, as [{"chat": 42, "text": "..."}, ...]; from a number on,
                                                       and when there is nothing yet, up to so many seconds later
    GET  /test/unread                                  how many messages the bot has not taken yet
    GET  /test/token                                   the token that the bot came with last

It listens on 127.0.0.1, port 9912 or the one named on the command line, by TLS when the files of a certificate and a key are named
after it, and needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import ssl
import sys
import threading
import time
import urllib.parse
from typing import Any

BOT = {"id": 1000, "is_bot": True, "first_name": "Lab", "username": "lab_bot", "can_join_groups": True}
FILES = ("sendPhoto", "sendDocument", "sendAudio", "sendVoice", "sendVideo", "sendAnimation", "sendMediaGroup")
MESSAGES = ("sendMessage", "editMessageText", "sendMessageDraft", *FILES)


class Chats:
    """What was said to the bot and by it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.updates: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.token = ""
        self.count = int(time.time())  # numbers grow, for a bot that remembers those of an earlier run

    def say(self, sender: int, text: str, chat_id: int = 0, name: str = "") -> None:
        with self.changed:
            self.count += 1
            name = name or f"Person {sender}"
            person = {"id": sender, "is_bot": False, "first_name": name, "username": f"person{sender}"}
            chat: dict[str, Any] = {"id": sender, "type": "private", "first_name": name}
            if chat_id:
                chat = {"id": chat_id, "type": "supergroup", "title": "Everybody"}
            message = {"message_id": self.count, "date": int(time.time()), "from": person, "chat": chat, "text": text}
            self.updates.append({"update_id": self.count, "message": message})
            self.changed.notify_all()

    def poll(self, offset: int, seconds: float) -> list[dict[str, Any]]:
        """Updates from `offset` on; what lies before it is confirmed and forgotten."""
        with self.changed:
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
            self.changed.wait_for(lambda: bool(self.updates), seconds)
            return list(self.updates)

    def unread(self) -> int:
        with self.changed:
            return len(self.updates)

    def heard(self, since: int, seconds: float) -> list[dict[str, Any]]:
        """What was sent, from a number on."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.sent) > since, seconds)
            return self.sent[since:]

    def send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self.changed:
            self.count += 1
            chat = int(parameters.get("chat_id", 0))
            text = str(parameters.get("text", ""))
            self.sent.append({"method": method, "chat": chat, "text": text})
            self.changed.notify_all()
            return {"message_id": self.count, "date": int(time.time()), "chat": {"id": chat, "type": "private"}, "from": BOT, "text": text}


CHATS = Chats()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def parameters(self) -> dict[str, Any]:
        """From the query and from a body of JSON or a form; the gateways use all three."""
        body = self.body().decode("utf-8", "replace")
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if "json" in (self.headers.get("content-type") or ""):
            return query | json.loads(body or "{}")
        if "multipart" in (self.headers.get("content-type") or ""):
            chat = re.search(r'name="chat_id"\r\n\r\n(-?\d+)', body)
            return query | {"chat_id": chat[1] if chat else 0, "text": body}
        return query | dict(urllib.parse.parse_qsl(body))

    def body(self) -> bytes:
        if "chunked" not in (self.headers.get("transfer-encoding") or ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def reply(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # a bot that went away during its long poll
            self.wfile.write(body)

    def answer(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        parameters = self.parameters()
        method = path.rpartition("/")[2]
        if path == "/test/say":
            CHATS.say(int(parameters["sender"]), str(parameters["text"]), int(parameters.get("chat", 0)), parameters.get("name", ""))
            self.reply(True)
        elif path == "/test/sent":
            self.reply(CHATS.heard(int(parameters.get("since", 0)), float(parameters.get("wait", 0))))
        elif path == "/test/unread":
            self.reply(CHATS.unread())
        elif path == "/test/token":
            self.reply(CHATS.token)
        elif method == "getMe":
            CHATS.token = path.split("/")[1].removeprefix("bot")
            self.reply({"ok": True, "result": BOT})
        elif method == "getUpdates":
            updates = CHATS.poll(int(parameters.get("offset") or 0), float(parameters.get("timeout") or 0))
            self.reply({"ok": True, "result": updates})
        elif method == "getWebhookInfo":
            self.reply({"ok": True, "result": {"url": "", "has_custom_certificate": False, "pending_update_count": 0}})
        elif method in MESSAGES:
            self.reply({"ok": True, "result": CHATS.send(method, parameters)})
        else:
            self.reply({"ok": True, "result": True})

    do_GET = do_POST = answer


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9912
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
