"""Time limits of the tests themselves: one table, and named exceptions with their reasons."""

from __future__ import annotations

import ast
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab import limits
from tests.lab.shell import WAIT_UNTIL

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
TABLE = PROJECT / "tests/lab/limits.py"
# The limits of the modules' own layer are at work there, and here stand examples.
OTHERS = ("tests/unit/test_limits.py", "tests/unit/test_limits_of_tests.py")

# A number as a limit in a line of Python, of a shell script, of YAML, or of a script within Python.
LINE = re.compile(
    r"""
      (?<![-\w])timeout=[\d.]*[1-9]                                # subprocess.run(..., timeout=30)
    | gateway_ready_timeout["':=\s]+\d                             # of a run of the playbook
    | \bsettimeout\([\d.]*[1-9]
    | (?<![-\w])timeout[ ](?:--?[\w-]+(?:[ =]\d+)?[ ])*[\d.]*[1-9]\d*[ ]   # coreutils: timeout 5 bash -c ...
    | Timeout\w*Sec=\d
    | ConnectTimeout=\d
    | \bseq[ ]\d.*\bsleep                                          # rounds of a loop
    | create_connection\(.*\),[ ]*\d
    | monotonic\(\)[ ]*\+[ ]*\d
    """,
    re.VERBOSE,
)
# Functions that wait, whose arguments after the first are seconds, and methods that get seconds alone.
WAITS = ("wait_for", "wait_until_ready", "wait_until_up", "reboot", "wait", "join", "result", "settimeout")

# Where a number may stand: files, what stands there, and why.
EXCEPTIONS = {
    ("tests/redteam/attacks/*.yml", r"\btimeout [2-5] |timeout=[2-5]\b|settimeout\([1-5]\)|, [24]\)"): "no answer is the refusal",
    ("tests/redteam/attacks/gateway-user/user-unit.yml", r"seq 20\)"): "it shall not happen",
    ("tests/redteam/attacks/model/race-of-links.yml", r"timeout 300 "): "the end of a loop whose attack forgot it; it runs in the sandbox",
    ("tests/redteam/actors.py", r"--kill-after 2 \{limits\.ATTACK\}"): "between two signals, when the limit is over already",
    ("tests/scenarios/default/reach.py", r"settimeout\(3\)"): "`silent`; it is copied into a host",
    ("tests/lab/hosts/packets.py", r"settimeout\(0\.2\)|monotonic\(\) \+ 2"): "`silent`; it is copied into a machine",
    ("tests/lab/doubles/internet.py", r"settimeout\((0\.5|2|5)\)"): "the client's silence; it says nothing else",
    ("tests/scenarios/default/test_s06_egress.py", r"settimeout\(0\.1\)"): "the other side is silent by design",
    ("tests/scenarios/shared/test_s05_sandbox.py", r"timeout 5 "): "no answer is what it looks for",
    ("tests/unit/qemu_lab.py", r"limits\.PROGRAM, 0\.02\)"): "the pause between two looks",
    ("tests/unit/test_qemu_vm_module.py", r"ConnectTimeout=30"): "an expected value: what the module tells ssh",
    ("tests/scenarios/*.py", r"gateway_ready_timeout\W{1,4}(1|3|20|25)\b"): "a gateway that cannot get ready, or not in so short a time",
}


def waits(tree: ast.AST) -> Iterator[int]:
    """The lines of calls and definitions with a number of seconds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in WAITS and any(number(value) for value in (*node.args[:3], *(word.value for word in node.keywords))):
                yield node.lineno
        elif isinstance(node, ast.FunctionDef) and node.name in WAITS and any(number(default) for default in node.args.defaults):
            yield node.lineno


def number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value is not True and node.value > 0


def found(path: str, text: str) -> Iterator[str]:
    """Numbers that are limits, but for the exceptions."""
    lines = text.splitlines()
    places = {place for place, line in enumerate(lines, 1) if LINE.search(line)}
    if path.endswith(".py"):
        places |= set(waits(ast.parse(text)))
    for place in sorted(places):
        line = lines[place - 1]
        if not any(fnmatch(path, files) and re.search(what, line) for files, what in EXCEPTIONS):
            yield f"{path}:{place}: {line.strip()}"


def sources() -> dict[str, str]:
    paths = [path for folder in ("tests", "molecule") for path in sorted((PROJECT / folder).rglob("*")) if path.is_file()]
    names = {str(path.relative_to(PROJECT)): path for path in paths if path != TABLE and "__pycache__" not in path.parts}
    return {name: path.read_text() for name, path in names.items() if name not in OTHERS and "/locks/" not in name}


def test_tests_have_their_limits_in_one_place() -> None:
    """A number of seconds beside a wait is one that nobody finds when a computer is slow."""
    texts = sources()
    assert len(texts) > 200
    assert [line for name, text in texts.items() for line in found(name, text)] == []


def test_each_exception_is_needed() -> None:
    """An exception whose place is gone would hide the next number there."""
    texts = sources()
    for files, what in EXCEPTIONS:
        lines = [line for name, text in texts.items() if fnmatch(name, files) for line in text.splitlines()]
        assert any(re.search(what, line) for line in lines), (files, what)


@pytest.mark.parametrize(
    "line",
    [
        "subprocess.run(command, timeout=30)",
        "wait_for(done, 'it is done', 20)",
        "wait_for(done, 'it is done', seconds=20)",
        "def wait_for(condition, what, seconds=90): pass",
        "thread.join(20)",
        "ours.settimeout(0.5)",
        "run('timeout 5 bash -c x')",
        "run('timeout --kill-after 2 90 bash -s')",
        "run('ssh -o ConnectTimeout=20 host')",
        "run('for i in $(seq 50); do test -e x && break; sleep 0.1; done')",
        "socket.create_connection(('127.0.0.1', 80), 10)",
        "deadline = time.monotonic() + 60",
        "site('-e', 'gateway_ready_timeout=60')",
        "site({'gateway_ready_timeout': 60})",
    ],
)
def test_a_number_is_found(line: str) -> None:
    """The tests above fail on what they shall find."""
    assert list(found("tests/scenarios/x.py", line)) == [f"tests/scenarios/x.py:1: {line}"]


def test_each_limit_says_what_it_waits_for() -> None:
    """A line of comment before each; none but those of silence is below what a computer needs that is a hundred times slower."""
    lines = TABLE.read_text().splitlines()
    names = [name for name in vars(limits) if name.isupper()]
    assert len(names) > 20
    for name in names:
        assert lines[next(place for place, line in enumerate(lines) if line.startswith(f"{name} =")) - 1].startswith("# "), name
    short = {name for name in names if getattr(limits, name) < 100}
    assert short == {"CONTAINER_END", "SILENCE", "LOGIN_CUT"}


def test_who_waits_for_whom() -> None:
    """The one that asks waits longer than the one that is asked, so that the reason is told and not only that it took long."""
    assert limits.SCRIPT < limits.CONDITION
    assert limits.ANSWER < limits.SCRIPT
    assert 5 * limits.ATTACK_ANSWER < limits.ATTACK < limits.ATTACKS_INSIDE


def wait_until(condition: str) -> subprocess.CompletedProcess[str]:
    script = f"{WAIT_UNTIL.replace(f'{limits.SCRIPT:.0f}', '1')}\nwait_until '{condition}'\necho done"
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=False, capture_output=True, text=True)


def test_a_script_waits(tmp_path: Path) -> None:
    """A condition that fails at first ends no script, whatever its options; one that never comes true ends it, with words."""
    there = wait_until(f"test -e {tmp_path}/x || {{ touch {tmp_path}/x; false | true; }}")
    assert (there.returncode, there.stdout, there.stderr) == (0, "done\n", "")
    never = wait_until("false")
    assert (never.returncode, never.stdout, never.stderr) == (1, "", "waited 1 s in vain: false\n")
