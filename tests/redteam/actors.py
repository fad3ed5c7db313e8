"""The actors: how each goes about an attack, and what comes back. They act side by side, each of them one attack after the other."""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess

from tests import lab
from tests.arena import Arena
from tests.host.attack import NAME, UNIT, USER, Host
from tests.redteam.book import Attack
from tests.redteam.chats import Chats, text_of
from tests.redteam.judge import Outcome

GROUPS = {"friend": -100777, "stranger": -100778}
STRANGERS = range(700, 800)
SECONDS = 20  # an attack in a shell ends by itself, or is ended
SHELL = f"timeout --kill-after 2 {SECONDS} bash -s"
# The unit's own confinement around a shell, made from the unit as it lies there.
INSIDE = f"""
mkdir -p /run/redteam
install -m 0640 -g {USER} /dev/stdin /run/redteam/script
{{
  printf '[Service]\\n'
  sed -n '/^\\[Service\\]/,/^\\[Install\\]/p' /etc/systemd/system/{UNIT} | grep -Ev '^(\\[|Exec|Restart|Memory|#|$)'
  printf 'Type=oneshot\\nExecStart=/bin/bash /run/redteam/script\\nTimeoutStartSec={SECONDS}\\n'
  printf 'StandardOutput=truncate:/run/redteam/out\\nStandardError=append:/run/redteam/out\\n'
}} >/run/systemd/system/redteam-inside.service
systemctl daemon-reload
systemctl start redteam-inside.service || true
cat /run/redteam/out
systemctl reset-failed redteam-inside.service 2>/dev/null || true
rm -rf /run/redteam /run/systemd/system/redteam-inside.service
"""


class Actors:
    """`do` gives an attack to its actor. Its texts are filled in already."""

    def __init__(self, host: Host, arena: Arena, chats: Chats) -> None:
        self.host, self.arena, self.chats = host, arena, chats
        self.mark = f"redteam-{secrets.token_hex(4)}"
        self.numbers = itertools.count(1_000_000 + secrets.randbelow(8_000_000))  # a session of an earlier run is not met again
        self.strangers = itertools.cycle(STRANGERS)
        self.friends: dict[str, int] = {}

    def do(self, attack: Attack) -> Outcome:
        outcome: Outcome = getattr(self, attack.actor.replace("-", "_"))(attack)
        return outcome

    def meet_friends(self) -> None:
        """Approve somebody new for each actor that writes to the bot: a session and a sandbox of its own. Those of before are sent away."""
        self.friends = dict(zip(("model", "friend", "stranger"), self.numbers, strict=False))
        self.forget_friends()
        columns = "channel_key, account_id, entry, sort_order, updated_at"
        self.host.sql(
            *(
                f"INSERT INTO channel_pairing_allow_entries ({columns}) SELECT 'telegram', 'default', '{number}', "  # noqa: S608 - a number
                "coalesce(max(sort_order) + 1, 0), 1 FROM channel_pairing_allow_entries WHERE channel_key = 'telegram'"
                for number in self.friends.values()
            )
        )

    def forget_friends(self) -> None:
        friends = "DELETE FROM channel_pairing_allow_entries WHERE CAST(entry AS INTEGER) BETWEEN 1000000 AND 9999999"
        self.host.sql(friends, "DELETE FROM channel_pairing_requests WHERE channel_key = 'telegram'")

    # --------------------------------------------------------------------------------------------- in a shell
    def gateway_user(self, attack: Attack) -> Outcome:
        if attack.inside:
            return self.heard(self.host.feed(INSIDE, self.wrapped(attack)))
        return self.shell([*lab.door(NAME), "runuser", "-u", USER, "--", "env", f"HOME=/home/{USER}", *SHELL.split()], attack)

    def neighbour(self, attack: Attack) -> Outcome:
        return self.shell(self.arena.exec(*SHELL.split()), attack)

    def wrapped(self, attack: Attack) -> str:
        """The script between two marks, which show that it ran to its end; it cannot read itself from standard input."""
        (step,) = attack.steps
        return f"cd /\necho {self.mark} begins\n(\n{step['text']}\n) </dev/null 2>&1\necho {self.mark} ends $?\n"

    def shell(self, command: list[str], attack: Attack) -> Outcome:
        script = self.wrapped(attack)
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", input=script, timeout=SECONDS + 30)
        return self.heard(done.stdout + done.stderr)

    def heard(self, said: str) -> Outcome:
        lines = [line for line in said.splitlines() if not line.startswith(self.mark)]
        return Outcome(ran=f"{self.mark} begins" in said and f"{self.mark} ends" in said, came_back="\n".join(lines))

    # --------------------------------------------------------------------------------------------- in a conversation
    def model(self, attack: Attack) -> Outcome:
        """A friend's message makes the model call the tools, or say something. What the model was told in the end is what it got."""
        outcome = Outcome(ran=True)
        sent = len(self.chats.sent())
        for speaks, steps in itertools.groupby(attack.steps, key=lambda step: "say" in step):
            calls = list(steps)
            orders = [f"SAY {json.dumps(step['say'])}" for step in calls] if speaks else [f"TRY {json.dumps(calls)}"]
            for order in orders:
                learned, replies = self.chats.ask(self.friends["model"], order)
                results = [text_of(m) for m in learned[-1]["messages"] if m.get("role") == "tool"] if learned else []
                outcome.ran &= speaks or len(results) >= len(calls)
                outcome.came_back += "\n".join([*([] if speaks else results[-len(calls) :]), *replies, ""])
                outcome.told += json.dumps(learned)
        cast = {*self.friends.values(), *STRANGERS, *GROUPS.values()}
        outcome.came_back += "\n".join(f"WON a message to {m['chat']}" for m in self.chats.sent(sent) if m["chat"] not in cast)
        return outcome

    def friend(self, attack: Attack) -> Outcome:
        """Commands that the friend has no right to are often met with silence: then the bot has answered another message since."""
        outcome, me = Outcome(ran=True), self.friends["friend"]
        for step in attack.steps:
            if step["text"].startswith("CALL"):
                learned, replies = self.chats.ask(me, step["text"])
            else:
                chat = GROUPS["friend"] if step.get("group") else me
                sent = len(self.chats.sent())
                self.chats.say(me, step["text"], chat=chat if step.get("group") else 0)
                learned, _ = self.chats.ask(me, "hello")
                replies = self.replies(sent, chat)
            outcome.came_back += "\n".join(replies) + "\n"
            outcome.told += json.dumps(learned)
        return outcome

    def stranger(self, attack: Attack) -> Outcome:
        """Each time somebody new. It ran when the bot has taken the messages and has answered a friend afterwards."""
        self.host.sql("DELETE FROM channel_pairing_requests WHERE channel_key = 'telegram'")
        me, sent, tag = next(self.strangers), len(self.chats.sent()), f"stranger-{secrets.token_hex(6)}"
        for step in attack.steps:
            group = {"chat": GROUPS["stranger"]} if step.get("group") else {}
            name = {"name": step["name"]} if "name" in step else {}
            self.chats.say(me, f"{step['text']} ({tag})", **group, **name)
        self.chats.ask(self.friends["stranger"], "hello")
        learned = [text_of(m) for request in self.chats.told(tag) for m in request["messages"] if m.get("role") == "user"]
        came_back = "\n".join(self.replies(sent, me, GROUPS["stranger"]))
        return Outcome(ran=True, came_back=came_back + ("\nWON the model was told" if any(tag in text for text in learned) else ""))

    def replies(self, since: int, *chats: int) -> list[str]:
        """What the bot sent to somebody; a hello of the friend's is not counted."""
        return [str(m["text"]) for m in self.chats.sent(since) if m["chat"] in chats and m["text"] != "OK"] or ["silence"]
