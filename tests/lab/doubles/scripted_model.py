"""A model that does what the message says: the stand-in for a provider, and for a model that was taken over.

It imitates an OpenAI-compatible server (POST /v1/chat/completions, with and without `stream`, format:
https://platform.openai.com/docs/api-reference/chat), as far as the gateway uses it. When the newest user message holds

    CALL <tool> <arguments as JSON>

it answers with that tool call; once the conversation holds a result for it, it answers `RESULT <result as JSON text>`. `TRY` and a list
of rounds, each a list of mappings of a tool to its arguments, calls all tools of a round at once, one round after the other, and then
answers `DONE`. To `SAY <text as JSON>` it answers the text.
Anything else gets `OK`. Words such as `(order-...)`, in any message so far, end the answer, but for what it is to `SAY`.
`GET /test/heard?with=WORD` is what it was told with this word in it, a list of requests: what a hostile model has learned.
It listens on 127.0.0.1, port 9911 or the one named on the command line, and needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import sys
import urllib.parse
from typing import Any

ORDER = re.compile(r'(CALL|TRY|SAY) (\w*) ?(?=[{"\[])')
TAG = re.compile(r"\(order-\w+\)")
HEARD: list[str] = []


def text_of(content: Any) -> str:
    """Message content is text or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def order_of(message: dict[str, Any]) -> tuple[str, str, Any] | None:
    """The verb, the tool, and its arguments or a text. A message that the gateway repeats in quotes is no order."""
    found = ORDER.search(text_of(message.get("content"))) if message.get("role") == "user" else None
    with contextlib.suppress(json.JSONDecodeError):
        content = json.JSONDecoder().raw_decode(found.string, found.end())[0] if found else None
        if found and isinstance(content, {"CALL": dict, "TRY": list, "SAY": str}[found[1]]):
            return found[1], found[2], content
    return None


def answer(messages: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """Return the assistant's message and the finish reason."""
    orders = [(i, order) for i, m in enumerate(messages) if (order := order_of(m))]
    if not orders:
        return {"role": "assistant", "content": "OK"}, "stop"
    place, (verb, tool, content) = orders[-1]
    answered = [i for i, m in enumerate(messages) if i > place and m.get("role") == "assistant" and not m.get("tool_calls")]
    if answered and any(m.get("role") == "user" for m in messages[answered[0] :]):
        return {"role": "assistant", "content": "OK"}, "stop"
    if verb == "SAY":
        return {"role": "assistant", "content": content}, "stop"
    # After a tool call the last message is not always the tool's: look for any of role `tool`.
    results = [m for m in messages[place + 1 :] if m.get("role") == "tool"]
    if verb == "CALL" and results:
        return {"role": "assistant", "content": "RESULT " + json.dumps(text_of(results[-1].get("content")))}, "stop"
    calls = [{tool: content}] if verb == "CALL" else next_round(content, len(results))
    if not calls:
        return {"role": "assistant", "content": "DONE"}, "stop"
    tool_calls = [
        {
            "index": index,
            "id": f"call_{place}_{len(results) + index}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for index, call in enumerate(calls)
        for name, arguments in call.items()
    ]
    return {"role": "assistant", "content": None, "tool_calls": tool_calls}, "tool_calls"


def next_round(rounds: list[list[dict[str, Any]]], done: int) -> list[dict[str, Any]]:
    """The calls of the round that comes after so many calls; none at the end."""
    for calls in rounds:
        if done < len(calls):
            return calls
        done -= len(calls)
    return []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        HEARD.append(body)
        request = json.loads(body)
        message, reason = answer(request["messages"])
        tags = [tag for m in request["messages"] if m.get("role") == "user" for tag in TAG.findall(text_of(m.get("content")))]
        if message["content"] and message["content"].startswith(("OK", "DONE", "RESULT")):
            message["content"] = " ".join([message["content"], *dict.fromkeys(tags)])
        common = {"id": "scripted", "created": 1, "model": "scripted"}
        if request.get("stream"):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            for delta, finish in ((message, None), ({}, reason)):
                chunk = common | {
                    "object": "chat.completion.chunk",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
                }
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True
            return
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        self.reply(common | {"object": "chat.completion", "choices": [choice], "usage": usage})

    def do_GET(self) -> None:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.reply([json.loads(body) for body in HEARD if query["with"] in body])

    def reply(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9911
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
