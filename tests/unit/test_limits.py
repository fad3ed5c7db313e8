# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time limits: one place in each layer, far above what a busy computer needs, and a message that says what was waited for."""

from __future__ import annotations

import ast
import http.server
import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml
from ansible.module_utils.lobsterpot import limits, qemu_machine
from ansible.module_utils.lobsterpot.qemu_machine import Machine
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
TABLE = PROJECT / "module_utils/lobsterpot/limits.py"
SOURCES = sorted(path for folder in ("library", "module_utils") for path in (PROJECT / folder).rglob("*.py") if path != TABLE)
NAMES = ("timeout", "seconds", "limit", "wait", "patience")
WAITS = ("settimeout", "alarm", "wait_for", "wait", "answer")


def number(node: ast.AST | None) -> bool:
    """Whether it is a number of seconds; 0 stands for none."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value is not True and node.value > 0


def literals(tree: ast.AST) -> Iterator[int]:
    """The lines on which a limit is a number: an argument, a default, or the default of a module's option."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if any(word.arg in NAMES and number(word.value) for word in node.keywords) or (
                called in WAITS and any(number(argument) for argument in node.args[:2])
            ):
                yield node.lineno
        elif isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            pairs = [*zip(reversed(names), reversed(node.args.defaults), strict=False)]
            pairs += [
                (argument.arg, default) for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default
            ]
            if any(name in NAMES and number(default) for name, default in pairs):
                yield node.lineno
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                option = isinstance(key, ast.Constant) and key.value in NAMES and isinstance(value, ast.Dict)
                if option and any(number(default) for default in value.values):  # type: ignore[attr-defined]
                    yield node.lineno


def test_modules_have_their_limits_in_one_place() -> None:
    """A number of seconds beside a wait is one that nobody finds when a computer is slow."""
    found = [f"{path.relative_to(PROJECT)}:{line}" for path in SOURCES for line in sorted(set(literals(ast.parse(path.read_text()))))]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "run(command, timeout=30)",
        "channel.settimeout(60)",
        "wait_for(done, 20)",
        "def ask(seconds=3): pass",
        'SPEC = {"timeout": {"default": 6}}',
    ],
)
def test_a_number_is_found(code: str) -> None:
    """The test above fails on what it shall find."""
    assert list(literals(ast.parse(code))) == [1]


def test_each_limit_says_what_it_waits_for() -> None:
    """A line of comment before each, and none below what a computer needs that is a hundred times slower."""
    lines = TABLE.read_text().splitlines()
    names = [name for name in vars(limits) if name.isupper()]
    for name in names:
        before = lines[next(place for place, line in enumerate(lines) if line.startswith(f"{name} =")) - 1]
        assert before.startswith(("# ", "RESOLVER_ANSWER")), name
    assert len(names) > 10
    assert min(getattr(limits, name) for name in names if name != "RESOLVER_TRIES") >= 15


# A number behind a word for a limit, in YAML, a unit or a shell line.
ROLE_LIMIT = re.compile(
    r"""Timeout\w*Sec=\d|\b\w*timeout:\s*["']?\d|\btimeout[" ,]+\d|\b(?:retries|delay|async|poll):\s*\d|--timeout[= ]\d"""
)


def test_roles_have_their_limits_in_defaults_and_vars() -> None:
    """Tasks, handlers, units and scripts take them from there."""
    places = [path for part in ("tasks", "handlers", "templates") for path in (PROJECT / "roles").glob(f"*/{part}/**/*") if path.is_file()]
    places += sorted((PROJECT / "playbooks").rglob("*.yml"))
    assert len(places) > 80
    lines = ((path.relative_to(PROJECT), line.strip()) for path in places for line in path.read_text().splitlines())
    found = [f"{path}: {line}" for path, line in lines if ROLE_LIMIT.search(line)]
    assert found == []
    for line in ("TimeoutStopSec=30", "lock_timeout: 600", 'argv: [timeout, "120", bash]', "  retries: 3", "timeout 5 bash -c x"):
        assert ROLE_LIMIT.search(line), line


def test_the_effective_limits_of_a_connection() -> None:
    """Ansible gives sudo the ten minutes of ansible.cfg, and ssh takes the first of two ConnectTimeouts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    command = ["ansible-config", "dump", "--type", "connection", "--format", "json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT, env=environment)
    values = {option["name"]: option["value"] for plugin in json.loads(done.stdout) for option in plugin.get("ssh", [])}
    assert values["timeout"] == 600
    effective = subprocess.run(
        ["ssh", "-F", "none", "-G", *values["ssh_args"].split(), "-o", f"ConnectTimeout={values['timeout']}", "host"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert {"connecttimeout 120", "serveraliveinterval 30", "serveralivecountmax 20"} <= set(effective)


def test_who_waits_for_whom() -> None:
    """The one that asks waits longer than the one that is asked, so that the reason is told and not only that it took long."""
    gateway = yaml.safe_load((PROJECT / "roles/gateway/vars/main.yml").read_text())["__gateway_limits"]
    vm = yaml.safe_load((PROJECT / "roles/vm/vars/main.yml").read_text())["__vm_stop_seconds"]
    grace = re.search(r"^GRACE = ([\d.]+)", (PROJECT / "roles/vm/files/run_vm.py").read_text(), re.MULTILINE)
    assert grace
    assert gateway["probe"] < limits.SANDBOX_PROBE
    assert float(grace[1]) < vm
    assert 3 * limits.STORE_LOCK < limits.STORE_WORK  # an approval takes up to three locks


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose systemctl says what the file `restarts` says, and that the unit has not failed."""
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$1" = show ] && cat {tmp_path}/restarts\n')
    systemctl.chmod(0o755)
    (tmp_path / "restarts").write_text("0\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def until_ready(seconds: int, port: int = 1, **limits_of_the_role: int) -> subprocess.CompletedProcess[str]:
    """Run what waits for the gateway as roles/gateway/tasks/ready.yml does; nobody listens on port 1."""
    written: dict[str, Any] = yaml.safe_load((PROJECT / "roles/gateway/vars/main.yml").read_text())
    written["__gateway_limits"] |= limits_of_the_role
    variables = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in written.items()}
    variables |= {
        "gateway_ready_timeout": seconds,
        "gateway_port": port,
        "gateway_ready_path": "/readyz",
        "gateway_unit": "gateway.service",
    }
    script = Templar(loader=DataLoader(), variables=variables).template(variables["__gateway_until_ready"])
    return subprocess.run(["timeout", str(seconds), "bash", "-c", script], check=False, capture_output=True, text=True)


class Answers(http.server.BaseHTTPRequestHandler):
    """A gateway whose answers to /readyz are `codes`, the last of them for good."""

    codes: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        self.send_response(self.codes.pop(0) if len(self.codes) > 1 else self.codes[0])
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.usefixtures("host")
def test_a_gateway_that_gets_ready(gateway: int) -> None:
    """It calls itself not ready for a moment, as it does while its channels start."""
    Answers.codes = [503, 404, 200]
    done = until_ready(60, gateway)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.usefixtures("host")
def test_a_gateway_with_a_broken_channel(gateway: int) -> None:
    """It runs and answers, and will not get ready however long it is waited: the message says where to look."""
    Answers.codes = [503]
    done = until_ready(60, gateway, channels=1)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "Waited 1 s in vain until the gateway, which answered, called itself ready. Is a channel's token wrong?\n"


@pytest.mark.usefixtures("host")
def test_a_gateway_that_is_not_ready_in_time() -> None:
    """The run that goes back says for what it waited, how long, and by which variable to wait longer."""
    done = until_ready(1)
    assert (done.returncode, done.stderr) == (124, "")
    assert done.stdout == "Waited 1 s in vain until the gateway answered /readyz on port 1 (gateway_ready_timeout).\n"


def test_a_gateway_that_ends_again_and_again(host: Path) -> None:
    """Its starts are counted: what can never succeed is not waited for as long as what is only slow."""
    (host / "restarts").write_text("40\n")
    done = until_ready(60)
    assert (done.returncode, done.stdout) == (1, "It ended 40 times before it answered /readyz on port 1.\n")


def test_each_login_may_take_longer_than_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine's login takes minutes; a fast one's lost answer is not waited for as long. None outlasts the time that is left."""
    given: list[float] = []

    class Slow(Machine):  # type: ignore[misc] # module_utils have no types here
        def running(self) -> bool:
            return True

        def ssh(self, *arguments: Any) -> int:
            given.append(round(arguments[-1]))
            return 0 if len(given) == 6 else 255

    monkeypatch.setattr(qemu_machine, "wait_for", lambda condition, _seconds, _pause: any(condition() for _ in range(9)))
    Slow(str(tmp_path)).wait_until_it_answers("lobsterpot", "pot", 22, 600)
    assert given == [30, 60, 120, 240, 480, 600]


def test_a_monitor_that_never_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """qemu that does nothing is not left to itself, and the message says for what it was waited."""
    monkeypatch.setattr(limits, "VM_MONITOR", 0.1)
    (tmp_path / "run_vm.py").write_text("import time\ntime.sleep(20)\n")
    began = time.monotonic()
    with pytest.raises(qemu_machine.LobsterpotError, match=r"did not start\. Waited 0 s in vain until qemu opened its monitor\."):
        Machine(str(tmp_path)).start()
    assert time.monotonic() - began < 15
