"""The actors: how each goes about its attacks, and what comes back. They act side by side, each of them several attacks at once."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import subprocess
from collections.abc import Callable

from tests import lab
from tests.lab import limits
from tests.lab.gateway import NAME, UNIT, USER, Host, wait_for
from tests.lab.network.closed import Arena
from tests.redteam.book import Attack
from tests.redteam.chats import Chats, text_of
from tests.redteam.judge import Outcome

GROUPS = {"friend": -100777, "stranger": -100778}
STRANGERS = range(700, 800)
# Attacks at once. The gateway keeps three requests of strangers; and one that breaks the model's conversation takes few others with it.
AT_ONCE = {"stranger": 3, "model": 8}
# The unit's own confinement around a shell, made from the unit as it lies there.
INSIDE = f"""
mkdir -p /run/redteam
install -m 0640 -g {USER} /dev/stdin /run/redteam/script
{{
  printf '[Service]\\n'
  sed -n '/^\\[Service\\]/,/^\\[Install\\]/p' /etc/systemd/system/{UNIT} | grep -Ev '^(\\[|Exec|Restart|Memory|#|$)'
  printf 'Type=oneshot\\nExecStart=/bin/bash /run/redteam/script\\nTimeoutStartSec={limits.ATTACKS_INSIDE}\\n'
  printf 'StandardOutput=truncate:/run/redteam/out\\nStandardError=append:/run/redteam/out\\n'
}} >/run/systemd/system/redteam-inside.service
systemctl daemon-reload
systemctl start redteam-inside.service || true
cat /run/redteam/out
if [ "$(systemctl show --property Result --value redteam-inside.service)" = timeout ]; then
  echo '{limits.waited(limits.ATTACKS_INSIDE, "the attacks end")}'
fi
systemctl reset-failed redteam-inside.service 2>/dev/null || true
rm -rf /run/redteam /run/systemd/system/redteam-inside.service
"""


class Actors:
    """`do` gives attacks to their actor. Their texts are filled in already."""

    def __init__(self, host: Host, arena: Arena, chats: Chats) -> None:
        self.host, self.arena, self.chats = host, arena, chats
        self.mark = f"redteam-{secrets.token_hex(4)}"
        self.next_friend = 1_000_000 + secrets.randbelow(8_000_000)  # a session of an earlier run is not met again
        self.strangers = itertools.cycle(STRANGERS)
        self.victim = self.witness = 0

    @staticmethod
    def batches(attacks: list[Attack]) -> list[list[Attack]]:
        """Attacks of one actor that can go together. What an operator looks at comes in one batch; an answer in words is one of its own."""
        batches: list[list[Attack]] = []
        for attack in sorted(attacks, key=lambda attack: (attack.speaks, not attack.operator)):
            if not batches or attack.speaks or len(batches[-1]) == AT_ONCE.get(attack.actor, len(attacks)):
                batches.append([])
            batches[-1].append(attack)
        return batches

    def do(self, batch: list[Attack]) -> dict[str, Outcome]:
        """What came of each, by the attack's id."""
        try:
            outcomes: dict[str, Outcome] = getattr(self, batch[0].actor.replace("-", "_"))(batch)
        except BaseException:
            self.meet()  # a conversation that hangs is left
            raise
        return outcomes

    def meet(self) -> None:
        """Somebody new whose messages the model acts upon, and somebody whose answer shows that what was written before has been read."""
        self.victim, self.witness = self.approved(2)

    def approved(self, count: int) -> list[int]:
        """People who were approved just now, each with a conversation and a sandbox of its own."""
        people = list(range(self.next_friend, self.next_friend + count))
        self.next_friend += count
        columns = "channel_key, account_id, entry, sort_order, updated_at"
        self.host.sql(
            *(
                f"INSERT INTO channel_pairing_allow_entries ({columns}) SELECT 'telegram', 'default', '{number}', "  # noqa: S608 - a number
                "coalesce(max(sort_order) + 1, 0), 1 FROM channel_pairing_allow_entries WHERE channel_key = 'telegram'"
                for number in people
            )
        )
        return people

    def forget(self) -> None:
        friends = "DELETE FROM channel_pairing_allow_entries WHERE CAST(entry AS INTEGER) BETWEEN 1000000 AND 9999999"
        self.host.sql(friends, "DELETE FROM channel_pairing_requests WHERE channel_key = 'telegram'")

    # --------------------------------------------------------------------------------------------- in a shell
    def gateway_user(self, batch: list[Attack]) -> dict[str, Outcome]:
        inside = [attack for attack in batch if attack.inside]
        plain = [attack for attack in batch if not attack.inside]
        said = self.host.feed(INSIDE, self.script(inside)) if inside else ""
        if plain:
            said += self.shell([*lab.door(NAME), "runuser", "-u", USER, "--", "env", f"HOME=/home/{USER}"], plain)
        return self.heard(batch, said)

    def neighbour(self, batch: list[Attack]) -> dict[str, Outcome]:
        return self.heard(batch, self.shell(self.arena.exec(), batch))

    def script(self, batch: list[Attack]) -> str:
        """Each attack in a shell of its own, between two marks which show that it ran to its end; it cannot read from standard input."""
        ended = f"case $? in 124 | 137) echo '{limits.waited(limits.ATTACK, 'the attack ends')}' ;; esac"
        shells = []
        for attack in batch:
            (step,) = attack.steps
            inner = f"cd /\necho {self.mark} begins {attack.id}\n(\n{step['text']}\n) </dev/null 2>&1\necho; echo {self.mark} ends"
            shells.append(f"timeout --kill-after 2 {limits.ATTACK} bash -s <<'{self.mark}' || {ended}\n{inner}\n{self.mark}")
        return "\n".join([*shells, ""])

    def shell(self, command: list[str], batch: list[Attack]) -> str:
        done = subprocess.run(
            [*command, "bash", "-s"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            input=self.script(batch),
            timeout=limits.ATTACK * (len(batch) + 1),
        )
        return done.stdout + done.stderr

    def heard(self, batch: list[Attack], said: str) -> dict[str, Outcome]:
        pieces = dict(piece.partition("\n")[::2] for piece in said.split(f"{self.mark} begins ")[1:])
        outcomes = {}
        for attack in batch:
            came_back, end, _ = pieces.get(attack.id, "").partition(f"{self.mark} ends")
            outcomes[attack.id] = Outcome(ran=bool(end), came_back=came_back)
        return outcomes

    # --------------------------------------------------------------------------------------------- in a conversation
    def model(self, batch: list[Attack]) -> dict[str, Outcome]:
        """A message makes the model call the tools, or say something. What it was told in the end is what it got."""
        return self.spoken(batch[0]) if batch[0].speaks else self.called(batch)

    def called(self, batch: list[Attack]) -> dict[str, Outcome]:
        """The tools of all attacks: the first step of each at once, then the second of those that have one, and so on."""
        sent = len(self.chats.sent())
        rounds = [
            [(attack.id, attack.steps[number]) for attack in batch if number < len(attack.steps)]
            for number in range(max(len(attack.steps) for attack in batch))
        ]
        if lab.is_machine(NAME):  # where the gateway gives up on tools that it starts together: emulated, they take too long
            rounds = [[call] for calls in rounds for call in calls]
        learned, replies = self.chats.ask(self.victim, f"TRY {json.dumps([[step for _, step in calls] for calls in rounds])}")
        order = [who for calls in rounds for who, _ in calls]
        results = [text_of(m) for m in learned[-1]["messages"] if m.get("role") == "tool"][-len(order) :] if learned else []
        outcomes, told = {}, json.dumps(learned)
        for attack in batch:
            mine = [result for who, result in zip(order, results, strict=False) if who == attack.id]
            came_back = "\n".join([*mine, *replies, *self.strays(sent)])
            outcomes[attack.id] = Outcome(ran=len(mine) == len(attack.steps), came_back=came_back, told=told)
        return outcomes

    def spoken(self, attack: Attack) -> dict[str, Outcome]:
        """What the model says, one message after the other, and the tools that it calls in between."""
        sent, outcome = len(self.chats.sent()), Outcome(ran=True)
        for step in attack.steps:
            if "say" in step:
                learned, replies = self.chats.ask(
                    self.victim, f"SAY {json.dumps(step['say'])}", answered=False, given_up=self.failure_to_come()
                )
            else:
                learned, replies = self.chats.ask(self.victim, f"TRY {json.dumps([[step]])}")
                replies += [text_of(m) for m in learned[-1]["messages"] if m.get("role") == "tool"][-1:]
            outcome.came_back += "\n".join([*replies, ""])
            outcome.told += json.dumps(learned)
        outcome.came_back += "\n".join(self.strays(sent))
        return {attack.id: outcome}

    def failure_to_come(self) -> Callable[[], bool]:
        """Whether the gateway, from now on, has failed to send what it wanted to say: then nothing comes."""
        log = f"journalctl --unit {UNIT} --output cat --no-pager --since @{self.host.run('date +%s.%N').strip()}"
        return lambda: self.host.code(f"{log} | grep -q 'reply failed'") == 0

    def friend(self, batch: list[Attack]) -> dict[str, Outcome]:
        """Somebody for each attack. Commands without the right to them are often met with silence: the bot answers what comes later."""
        sent, outcomes = len(self.chats.sent()), {}
        people = self.approved(len(batch))
        talker = people[0]
        for attack, me in zip(batch, people, strict=True):
            outcome = outcomes[attack.id] = Outcome(ran=True)
            for step in attack.steps:
                if step["text"].startswith("CALL"):
                    learned, _ = self.chats.ask(me, step["text"])
                    outcome.told += json.dumps(learned)
                    talker = me  # with a sandbox already
                else:
                    self.chats.say(me, step["text"], **({"chat": GROUPS["friend"]} if step.get("group") else {}))
        self.chats.ask(talker, "hello")
        for attack, me in zip(batch, people, strict=True):
            group = any(step.get("group") for step in attack.steps)
            outcomes[attack.id].came_back = "\n".join(self.replies(sent, GROUPS["friend"] if group else me))
        return outcomes

    def stranger(self, batch: list[Attack]) -> dict[str, Outcome]:
        """Somebody new for each attack. It ran when the bot has taken the messages and then has answered a friend, twice in turn: what it
        did for the stranger meanwhile had the time of a whole answer."""
        self.host.sql("DELETE FROM channel_pairing_requests WHERE channel_key = 'telegram'")
        sent, tags = len(self.chats.sent()), {attack.id: f"stranger-{secrets.token_hex(6)}" for attack in batch}
        people = dict(zip(tags, self.strangers, strict=False))
        for attack in batch:
            for step in attack.steps:
                group = {"chat": GROUPS["stranger"]} if step.get("group") else {}
                name = {"name": step["name"]} if "name" in step else {}
                self.chats.say(people[attack.id], f"{step['text']} ({tags[attack.id]})", **group, **name)
        wait_for(lambda: self.chats.unread() == 0, "the bot has read everything")
        for _ in range(2):
            self.chats.ask(self.witness, "hello")
        outcomes = {}
        for attack in batch:
            group_too = [GROUPS["stranger"]] if any(step.get("group") for step in attack.steps) else []
            came_back = "\n".join(self.replies(sent, people[attack.id], *group_too))
            users = [text_of(m) for request in self.chats.told(tags[attack.id]) for m in request["messages"] if m.get("role") == "user"]
            told = "\nWON the model was told" if any(tags[attack.id] in text for text in users) else ""
            outcomes[attack.id] = Outcome(ran=True, came_back=came_back + told)
        return outcomes

    def replies(self, since: int, *chats: int) -> list[str]:
        """What the bot sent to somebody; the answer to a hello is not counted."""
        texts = [re.sub(r"(\s*\(order-\w+\))+", "", str(m["text"])) for m in self.chats.sent(since) if m["chat"] in chats]
        return [text for text in texts if text != "OK"] or ["silence"]

    def strays(self, since: int) -> list[str]:
        """Messages to somebody who is none of the cast."""
        cast = {*STRANGERS, *GROUPS.values()}
        return [f"WON a message to {m['chat']}" for m in self.chats.sent(since) if m["chat"] not in cast and m["chat"] < 1_000_000]
