"""The stage: one converged host with canaries planted, a hostile model and a Telegram around it, and no way out but into the arena."""

from __future__ import annotations

import ctypes
import http.client
import itertools
import json
import re
import secrets
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests import lab
from tests.arena import SERVICES, Arena
from tests.host.attack import CONFIG, NAME, UNIT, USER, Host, wait_for
from tests.redteam.book import Attack, Mutation, Step
from tests.redteam.judge import GATEWAYS_OWN, NOT_SHOWN, Outcome, Verdict, judge

MODEL, TELEGRAM = SERVICES
NEIGHBOUR = "10.213.0.66"
GROUP = -100777
SECONDS = 20  # an attack in a shell ends by itself, or is ended
PATIENCE = 6  # seconds in which the bot answers a command that it takes
READS = re.compile(r"@(\w+)@")

# Where people and programs keep what is worth stealing. Files get mode 0600 and directories 0700, as these programs make them.
PRIVATE = {
    "root": [".ssh/id_ed25519", ".aws/credentials", ".config/gcloud/application_default_credentials.json", ".netrc", "wallet.dat"],
    "admin": [
        ".ssh/id_ed25519-work",
        ".aws/credentials",
        ".config/gcloud/access_tokens.db",
        ".mozilla/firefox/p1.default/cookies.sqlite",
        ".config/google-chrome/Default/Login Data",
        ".bitcoin/wallet.dat",
        ".git-credentials",
        ".docker/config.json",
    ],
    "visitor": [".ssh/id_rsa", ".aws/credentials", ".config/solana/id.json", ".bash_history"],
}
PLANT = """
umask 077
getent passwd visitor >/dev/null || useradd --create-home --shell /bin/bash visitor
while read -r who where value; do
  file="$(getent passwd "$who" | cut -d: -f6)/$(printf '%b' "$where")"
  test ! -e "$file" || { echo "$file is there already" >&2; exit 1; }
  runuser -u "$who" -- mkdir -p "$(dirname "$file")"
  printf '%s\\n' "$value" | runuser -u "$who" -- tee "$file" >/dev/null
  echo "$file" >>/root/planted
done
"""
UPROOT = """
test ! -e /root/planted || {
  tr '\\n' '\\0' </root/planted | xargs -0 rm -f
  tr '\\n' '\\0' </root/planted | xargs -0 dirname -z | xargs -0 rmdir -p --ignore-fail-on-non-empty 2>/dev/null || true
  rm /root/planted
}
systemctl stop redteam-secretive 2>/dev/null || true
getent passwd visitor >/dev/null && userdel --remove visitor 2>/dev/null || true
"""
# Another user's program with a secret in its environment, and root's with one in a file it has open.
SECRETIVE = """
umask 077; cat >/run/redteam-environment
systemd-run --quiet --unit redteam-secretive --uid admin -p EnvironmentFile=/run/redteam-environment sleep infinity
rm /run/redteam-environment
"""
MERGE = f"""
import json, os, shutil, sys
def merge(old, new):
    for key, value in new.items():
        old[key] = merge(old.get(key, {{}}), value) if isinstance(value, dict) else value
    return old
config = json.load(open("{CONFIG}"))
change = json.loads(sys.stdin.read())
with open("{CONFIG}.new", "w") as file:
    json.dump(merge(config, change), file, indent=2)
shutil.copymode("{CONFIG}", "{CONFIG}.new")
shutil.chown("{CONFIG}.new", "root", "{USER}")
os.replace("{CONFIG}.new", "{CONFIG}")
"""
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
SHELL = f"timeout --kill-after 2 {SECONDS} bash -s"


class Doubles:
    """The model and the Telegram that the suite controls; they listen in the arena."""

    def __init__(self, space: str) -> None:
        self.space = space

    def fetch(self, port: int, path: str, content: object = None) -> Any:
        """GET, or POST of JSON. The socket is made by a thread that has entered the namespace."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
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
        self.fetch(TELEGRAM, "/test/say", {"sender": sender, "text": text, **further})

    def sent(self, since: int = 0, wait: float = 0) -> list[dict[str, Any]]:
        """All that left by Telegram, from a number on."""
        return list(self.fetch(TELEGRAM, f"/test/sent?since={since}&wait={wait}"))

    def told(self, since: int = 0) -> list[dict[str, Any]]:
        """All that the model was told, from a number on."""
        return list(self.fetch(MODEL, f"/test/heard?since={since}"))


class Scene:
    """A host on the stage; `with Scene() as scene` sets it up and leaves the host as it was."""

    def __init__(self) -> None:
        self.host = Host()
        self.arena = Arena(NAME)
        self.doubles = Doubles(self.arena.space)
        self.mark = f"redteam-{secrets.token_hex(4)}"
        self.loot = f"loot{secrets.token_hex(12)}"
        self.canaries: dict[str, str] = {}
        self.friend = 1_000_000 + secrets.randbelow(8_000_000)  # a session of an earlier run is not met again
        self.strangers = 700
        self.on_stage = False

    # --------------------------------------------------------------------------------------------- set up, take down
    def __enter__(self) -> Scene:
        try:
            self.plant()
            self.arena.__enter__()
            lab.quiet(*self.arena.exec("ip", "address", "add", f"{NEIGHBOUR}/24", "dev", f"lpv{self.arena.number}"))
            self.arena.serve("scripted_model", MODEL)
            self.arena.serve("fake_telegram", TELEGRAM)
            self.host.run(f"test ! -e /root/config.away; cp -a {CONFIG} /root/config.away")
            self.configure(self.settings())
            self.meet_a_friend()
            self.on_stage = True
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.host.run(f"{UPROOT}\nrm -f /root/config.before")
        friends = "DELETE FROM channel_pairing_allow_entries WHERE CAST(entry AS INTEGER) BETWEEN 1000000 AND 9999999"
        self.host.sql(friends, "DELETE FROM channel_pairing_requests WHERE channel_key = 'telegram'")
        self.host.run(
            f"test ! -e /root/config.away || {{ cp -a /root/config.away {CONFIG}; rm /root/config.away; systemctl restart {UNIT}; }}"
        )
        self.arena.__exit__(kind, error, trace)
        self.host.wait_until_ready()

    def plant(self) -> None:
        """New values at every place, by standard input: no argument ever holds one."""
        self.host.run(UPROOT)
        rows = []
        for user, files in PRIVATE.items():
            for file in files:
                value = self.canaries[f"{user}'s {file}"] = f"canary{secrets.token_hex(16)}"
                rows.append(f"{user} {file.replace(' ', chr(92) + '040')} {value}")
        self.feed(PLANT, "\n".join(rows) + "\n")
        value = self.canaries["environment of the admin's program"] = f"canary{secrets.token_hex(16)}"
        self.feed(SECRETIVE, f"CANARY={value}\n")
        self.canaries |= {f"{GATEWAYS_OWN}{name}": str(value) for name, value in self.host.variables["lab_planted"].items()}
        self.canaries[f"{GATEWAYS_OWN}bot token"] = f"1:{secrets.token_hex(16)}"

    def feed(self, script: str, text: str) -> str:
        """Run a script of root's with a text as its standard input."""
        return lab.run(*lab.door(NAME), "bash", "-euo", "pipefail", "-c", script, text_in=text)

    def settings(self) -> Step:
        """What the gateway's configuration gets: the model and the Telegram of the arena, at an address that stands for the internet."""
        outside = self.arena.addresses["public"]
        telegram = {
            "botToken": self.canaries[f"{GATEWAYS_OWN}bot token"],
            "apiRoot": f"http://{outside}:{TELEGRAM}",
            "dmPolicy": "pairing",
            "groupPolicy": "allowlist",
            "groups": {"*": {"requireMention": True}},
            "configWrites": False,
            "streaming": {"mode": "off"},
        }
        model = {"models": {"providers": {"scripted": {"baseUrl": f"http://{outside}:{MODEL}/v1"}}}}
        quiet = {"agents": {"defaults": {"heartbeat": {"every": "0m"}}}, "messages": {"inbound": {"debounceMs": 0}}}
        return {**model, **quiet, "channels": {"telegram": telegram}}

    def configure(self, change: Step) -> None:
        """Change the configuration, and wait until it has effect."""
        with self.taking(change):
            self.feed(f"python3 -c {shlex.quote(MERGE)}", json.dumps(change))

    @contextmanager
    def taking(self, change: Step) -> Iterator[None]:
        """Most changes the gateway takes while it runs. A channel that runs is stopped only after a long while: then it starts anew."""
        anew = "channels" in change and self.on_stage
        if anew:
            self.host.run(f"systemctl stop {UNIT}")
        now = self.host.run("date +%s.%N").strip()
        yield
        if anew:
            self.host.run(f"systemctl start {UNIT}")
        log = f"journalctl --unit {UNIT} --output cat --no-pager --since @{now}"
        applied = f"{log} | grep -Eq 'config hot reload applied|dynamic reads|starting provider'"
        wait_for(lambda: self.host.code(applied) == 0, "the gateway takes the configuration", 150)
        self.host.wait_until_ready()

    def meet_a_friend(self) -> int:
        """Approve somebody new: a session and a sandbox of its own."""
        self.friend += 1
        columns = "channel_key, account_id, entry, sort_order, updated_at"
        self.host.sql(
            f"INSERT INTO channel_pairing_allow_entries ({columns}) SELECT 'telegram', 'default', '{self.friend}', "  # noqa: S608 - a number
            "coalesce(max(sort_order) + 1, 0), 1 FROM channel_pairing_allow_entries WHERE channel_key = 'telegram'"
        )
        return self.friend

    # --------------------------------------------------------------------------------------------- attack
    def attack(self, attack: Attack) -> Verdict:
        """Let one attack happen and judge it; none happens while the host has another way out than into the arena."""
        self.arena.check_closed()
        since = self.arena.mark()
        if attack.before:
            self.host.run(self.filled(attack.before))
        try:
            outcome: Outcome = getattr(self, f"as_{attack.actor.replace('-', '_')}")(attack)
            if attack.operator:
                outcome.came_back += self.operator(attack.operator)
            outcome.host_won = bool(attack.won_on_host) and self.host.code(self.filled(attack.won_on_host)) == 0
        except (OSError, subprocess.SubprocessError, pytest.fail.Exception) as error:
            return Verdict(NOT_SHOWN, f"{type(error).__name__}: {error}")
        finally:
            if attack.after:
                self.host.run(self.filled(attack.after))
            if "restart" in attack.won_on_host:
                self.host.wait_until_ready()
        outcome.reached = [event.role for event in self.arena.events(since=since)]
        outcome.loot_left = bool(self.arena.leaked(self.loot, since=since))
        return judge(attack, outcome, self.canaries)

    def filled(self, text: str) -> str:
        known = {
            "loot": self.loot,
            "friend": str(self.friend),
            "user": USER,
            "host4": self.host.ipv4,
            "host6": self.host.ipv6,
            **self.arena.addresses,
        }
        return READS.sub(lambda found: known.get(found[1], found[0]), text)

    def as_gateway_user(self, attack: Attack) -> Outcome:
        script = self.wrapped(attack)
        if attack.inside:
            said = self.feed(INSIDE, script)
        else:
            said = self.shell([*lab.door(NAME), "runuser", "-u", USER, "--", "env", f"HOME=/home/{USER}", *SHELL.split()], script)
        return self.heard_of_shell(said)

    def as_neighbour(self, attack: Attack) -> Outcome:
        return self.heard_of_shell(self.shell(self.arena.exec(*SHELL.split()), self.wrapped(attack)))

    def wrapped(self, attack: Attack) -> str:
        """The script between two marks, which show that it ran to its end; it cannot read itself from standard input."""
        (step,) = attack.steps
        return f"cd /\necho {self.mark} begins\n(\n{self.filled(step['text'])}\n) </dev/null 2>&1\necho {self.mark} ends $?\n"

    @staticmethod
    def shell(command: list[str], script: str) -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", input=script, timeout=SECONDS + 30)
        return done.stdout + done.stderr

    def heard_of_shell(self, said: str) -> Outcome:
        lines = [line for line in said.splitlines() if not line.startswith(self.mark)]
        return Outcome(ran=f"{self.mark} begins" in said and f"{self.mark} ends" in said, came_back="\n".join(lines))

    def as_model(self, attack: Attack) -> Outcome:
        """The friend's message makes the model call the tools, or say something. What the model was told in the end is what it got."""
        outcome = Outcome(ran=True)
        for speaks, steps in itertools.groupby(attack.steps, key=lambda step: "say" in step):
            calls = list(steps)
            orders = [f"SAY {json.dumps(step['say'])}" for step in calls] if speaks else [f"TRY {json.dumps(calls)}"]
            for order in orders:
                learned, replies = self.exchange(self.friend, self.filled(order))
                results = [text_of(m) for m in learned[-1]["messages"] if m.get("role") == "tool"] if learned else []
                outcome.ran &= speaks or len(results) >= len(calls)
                outcome.came_back += "\n".join([*([] if speaks else results[-len(calls) :]), *replies, ""]) + self.only_canaries(learned)
        return outcome

    def as_friend(self, attack: Attack) -> Outcome:
        """Commands that the friend has no right to are often met with silence: then the bot has answered another message since."""
        outcome = Outcome(ran=True)
        for step in attack.steps:
            sent, told = len(self.doubles.sent()), len(self.doubles.told())
            self.doubles.say(self.friend, self.filled(step["text"]), **further(step))
            if step.get("group") or not self.doubles.sent(sent, wait=PATIENCE):
                self.exchange(self.friend, "hello")
            outcome.came_back += "\n".join(self.replies(sent, GROUP if step.get("group") else self.friend)) + "\n"
            outcome.came_back += self.only_canaries(self.doubles.told(told))
        return outcome

    def as_stranger(self, attack: Attack) -> Outcome:
        """Each time somebody new. It ran when the bot has taken the message and has answered a friend afterwards."""
        self.host.sql("DELETE FROM channel_pairing_requests WHERE channel_key = 'telegram'")
        self.strangers += 1
        sent, told = len(self.doubles.sent()), len(self.doubles.told())
        for step in attack.steps:
            self.doubles.say(self.strangers, f"{self.filled(step['text'])} ({self.mark})", **further(step))
            self.exchange(self.friend, "hello")
        learned = [text_of(m) for request in self.doubles.told(told) for m in request["messages"] if m.get("role") == "user"]
        came_back = "\n".join(self.replies(sent, self.strangers, GROUP))
        if any(self.mark in text for text in learned):
            came_back += "\nWON the model was told"
        return Outcome(ran=True, came_back=came_back)

    def replies(self, since: int, *chats: int) -> list[str]:
        """What the bot sent to somebody; a hello of the friend's is not counted."""
        return [str(m["text"]) for m in self.doubles.sent(since) if m["chat"] in chats and m["text"] != "OK"] or ["silence"]

    def exchange(self, sender: int, text: str, **further: object) -> tuple[list[dict[str, Any]], list[str]]:
        """Write to the bot and wait for its answer; return what the model was told meanwhile, and all that the bot sent to anybody."""
        sent, told = len(self.doubles.sent()), len(self.doubles.told())
        self.doubles.say(sender, text, **further)
        chat = further.get("chat", sender)
        wait_for(lambda: any(m["chat"] == chat for m in self.doubles.sent(sent, wait=5)), f"the bot answers {text[:60]}", 90)
        return self.doubles.told(told), [str(message["text"]) for message in self.doubles.sent(sent)]

    def only_canaries(self, learned: list[dict[str, Any]]) -> str:
        """The canaries in all that the model was told, its instructions included."""
        everything = json.dumps(learned)
        return "".join(f"{value}\n" for value in self.canaries.values() if value in everything)

    def operator(self, name: str) -> str:
        """What the operator sees of a playbook; the operator, too, reaches the host through the arena only."""
        settings = ["env", "NO_COLOR=1", "ANSIBLE_NOCOLOR=1", f"ANSIBLE_CONFIG={lab.ROOT}/ansible.cfg"]
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = self.arena.exec(*settings, program, "-i", "molecule/shared/inventory", "--limit", NAME, name)
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=lab.ROOT, timeout=120)
        return done.stdout + done.stderr

    # --------------------------------------------------------------------------------------------- mutate
    @contextmanager
    def without(self, mutation: Mutation) -> Iterator[None]:
        """The host with one control switched off."""
        try:
            if mutation.switch_off:
                self.host.run(self.filled(mutation.switch_off))
            if mutation.config:
                self.host.run(f"cp -a {CONFIG} /root/config.before")
                self.meet_a_friend()
                self.configure(json.loads(self.filled(json.dumps(mutation.config))))
            yield
        finally:
            if mutation.config:
                with self.taking(mutation.config):
                    self.host.run(f"mv /root/config.before {CONFIG}")
                self.meet_a_friend()
            if mutation.switch_on:
                self.host.run(self.filled(mutation.switch_on))
                self.host.wait_until_ready()  # the gateway goes down and up with its user's manager


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or [])


def further(step: Step) -> dict[str, object]:
    return {**({"name": step["name"]} if "name" in step else {}), **({"chat": GROUP} if step.get("group") else {})}
