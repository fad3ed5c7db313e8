"""One converged host of the lab, and its gateway."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests import lab
from tests.lab import limits
from tests.lab.doubles.scripted_model import text_of

NAME = os.environ.get("LAB_HOST", "gw1")
USER = "openclaw"
UNIT = "openclaw-gateway.service"
CONFIG = "/etc/openclaw/openclaw.json"
RUN_AS = f"/usr/local/lib/lobsterpot/run-as-{USER}"
DATABASE = f"/home/{USER}/.openclaw/state/openclaw.sqlite"
READY = f"import urllib.request as u; u.urlopen('http://127.0.0.1:18789/readyz', timeout={limits.ANSWER})"
# Asked by one process in the host: on an emulated one, a login and a Python for each question would slow down the start.
UNTIL_READY = r"""
until exec 3<>/dev/tcp/127.0.0.1/18789 && printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 &&
  head -n 1 <&3 | grep -q ' 200 '; do
  sleep 1
done 2>/dev/null
"""


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + limits.CONDITION
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(limits.waited(limits.CONDITION, what))
        time.sleep(0.3)


class Host:
    """The converged host, by its container's own door."""

    name = NAME
    product = "openclaw"

    @property
    def variables(self) -> dict[str, Any]:
        return dict(lab.hosts_up()[NAME]["variables"])

    @property
    def ipv4(self) -> str:
        return str(self.variables["ansible_host"])

    @property
    def ipv6(self) -> str:
        return str(self.variables["lab_ipv6"])

    def run(self, script: str, *, check: bool = True) -> str:
        """Run a shell script as root; return its output."""
        return lab.inside(NAME, script, check=check)

    def feed(self, script: str, text: str) -> str:
        """Run a shell script as root with a text as its standard input; return its output."""
        # A shell on the other end of an SSH connection takes the words apart once more.
        one_word = shlex.quote(script) if lab.is_machine(NAME) else script
        return lab.run(*lab.door(NAME), "bash", "-euo", "pipefail", "-c", one_word, text_in=text)

    def code(self, script: str) -> int:
        return subprocess.run([*lab.door(NAME), "bash", "-s"], check=False, capture_output=True, text=True, input=script).returncode

    def as_user(self, script: str) -> tuple[int, str]:
        """Run a shell script as the gateway's user, as after code execution in the gateway; return code and all output."""
        command = [*lab.door(NAME), "runuser", "-u", USER, "--", "env", f"HOME=/home/{USER}", "bash", "-s"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=script)
        return done.returncode, done.stdout + done.stderr

    def sql(self, *statements: str) -> list[str]:
        """Run statements on the gateway's database, as its user; return the words of all rows, columns joined by a bar."""
        script = f"""
import sqlite3
database = sqlite3.connect("{DATABASE}", timeout={limits.ANSWER}, isolation_level=None)
database.execute("PRAGMA wal_autocheckpoint = 0")
for statement in {list(statements)!r}:
    for row in database.execute(statement):
        print(*row, sep="|")
"""
        code, out = self.as_user(f"python3 - <<'PYTHON'\n{script}\nPYTHON\n")
        assert code == 0, out
        return out.split()

    def ready(self) -> bool:
        return self.code(f'python3 -c "{READY}"') == 0

    def wait_until_ready(self) -> None:
        if self.code(f"timeout {limits.CONDITION} bash -c {shlex.quote(UNTIL_READY)}"):
            pytest.fail(limits.waited(limits.CONDITION, "the gateway answers /readyz"))

    def told(self, message: str, session: str) -> str:
        """Give the gateway's agent a message by the gateway's own command, which takes five seconds; return its answer."""
        command = [self.product, "agent", "--agent", "main", "--session-id", session, "--message", message, "--json"]
        out = self.run(shlex.join(command) + " </dev/null", check=False)
        report = json.loads(out[out.index("{") :])
        assert "result" in report, out
        return "".join(part["text"] for part in report["result"]["payloads"])

    def agent(self, tool: str, arguments: dict[str, object], session: str) -> str:
        """Have the scripted model call a tool through the real gateway; return the tool's result."""
        text = self.told(f"CALL {tool} {json.dumps(arguments)}", session)
        assert text.startswith("RESULT "), text
        return str(json.loads(text.removeprefix("RESULT ")))

    def agents(self, calls: Sequence[tuple[str, Mapping[str, object]]], session: str) -> list[str]:
        """Have the scripted model call tools, one after the other, for one message; return their results."""
        tag = f"order-{secrets.token_hex(6)}"
        rounds = [[{tool: arguments}] for tool, arguments in calls]
        text = self.told(f"TRY {json.dumps(rounds)} ({tag})", session)
        assert text.startswith("DONE"), text
        heard = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:9911/test/heard?with={tag}').read().decode())"
        messages = json.loads(self.run(f'python3 -c "{heard}"'))[-1]["messages"]
        results = [text_of(message["content"]) for message in messages if message.get("role") == "tool"]
        assert len(results) >= len(calls), results
        return results[-len(calls) :]


def playbook(*arguments: str, check: bool = True, name: str = "site.yml") -> subprocess.CompletedProcess[str]:
    """Run site.yml, or another playbook, on the host as an operator does."""
    done = lab.site(NAME, *arguments, playbook=name)
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done


def sshd_settings(gateway: Host) -> dict[str, str]:
    """The settings in force, by name in small letters."""
    return dict(line.split(" ", 1) for line in gateway.run("sshd -T").splitlines() if " " in line)
