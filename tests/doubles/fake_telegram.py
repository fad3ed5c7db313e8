"""A Telegram Bot API on loopback: the stand-in for Telegram, and for the people who write to the bot.

It imitates https://core.telegram.org/bots/api as far as the gateways use it: `getMe`, `getUpdates` with offset and long poll, `sendMessage`
and its relatives, which return a message; every other method answers `true`. Tokens are not checked. Two addresses are for the test alone:

    POST /test/say   {"sender": 42, "text": "hello"}   somebody writes to the bot in a private chat
    GET  /test/sent                                    all that the bot has sent, as [{"chat": 42, "text": "..."}, ...]

It listens on 127.0.0.1, port 9912 or the one named on the command line, by TLS when the files of a certificate and a key are named
after it, and needs nothing but Python.
"""

from __future__ import annotations

import http.server
import json
import ssl
import sys
import threading
import time
import urllib.parse
from typing import Any

BOT = {"id": 1000, "is_bot": True, "first_name": "Lab", "username": "lab_bot", "can_join_groups": True}
MESSAGES = ("sendMessage", "editMessageText", "sendMessageDraft")


class Chats:
    """What was said to the bot and by it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.updates: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.count = 0

    def say(self, sender: int, text: str) -> None:
        with self.changed:
            self.count += 1
            person = {"id": sender, "is_bot": False, "first_name": f"Person {sender}", "username": f"person{sender}"}
            chat = {"id": sender, "type": "private", "first_name": f"Person {sender}"}
            message = {"message_id": self.count, "date": int(time.time()), "from": person, "chat": chat, "text": text}
            self.updates.append({"update_id": self.count, "message": message})
            self.changed.notify_all()

    def poll(self, offset: int, seconds: float) -> list[dict[str, Any]]:
        """Updates from `offset` on; what lies before it is confirmed and forgotten."""
        with self.changed:
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
            self.changed.wait_for(lambda: bool(self.updates), seconds)
            return list(self.updates)

    def send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self.changed:
            self.count += 1
            chat = int(parameters.get("chat_id", 0))
            text = str(parameters.get("text", ""))
            self.sent.append({"method": method, "chat": chat, "text": text})
            return {"message_id": self.count, "date": int(time.time()), "chat": {"id": chat, "type": "private"}, "from": BOT, "text": text}


CHATS = Chats()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def parameters(self) -> dict[str, Any]:
        """From the query and from a body of JSON or a form; the gateways use all three."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if "json" in (self.headers.get("content-type") or ""):
            return query | json.loads(body or "{}")
        return query | dict(urllib.parse.parse_qsl(body))

    def reply(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        parameters = self.parameters()
        method = path.rpartition("/")[2]
        if path == "/test/say":
            CHATS.say(int(parameters["sender"]), str(parameters["text"]))
            self.reply(True)
        elif path == "/test/sent":
            self.reply(CHATS.sent)
        elif method == "getMe":
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
