#!/usr/bin/env python3
"""How long the access modules take, in which form of store, and against the gateway's own command for the same approval.

    sudo .venv/bin/python benchmarks/access.py

Every figure is of one process from its start to its end, with nothing shared between two: the module as Ansible runs it on a host (an
interpreter, the module, its arguments), and the gateway's command with its own Node. Memory is the largest resident size of that process
and its children. Installs the gateways that the integration tests use; needs no host. With a host of the lab named as argument,
`access.yml` is timed on it too.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"

from tests import lab  # noqa: E402 - found by the line above
from tests.integration.real_gateway import RealGateway  # noqa: E402 - likewise

RUNNER = [sys.executable, str(ROOT / "tests" / "integration" / "module_runner.py")]
KINDS = {"sqlite": "database", "scoped": "files per account", "unscoped": "files"}
PAIRS = 3


def measured(command: list[str], text: str = "", environment: dict[str, str] | None = None) -> tuple[float, int]:
    """Seconds and MiB of one process and its children."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        begin = time.monotonic()
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=text, env=environment)
        seconds = time.monotonic() - begin
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        os.write(writer, json.dumps([seconds, memory, done.returncode, (done.stdout + done.stderr)[-400:]]).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    seconds, memory, code, said = json.loads(os.read(reader, 65536))
    os.close(reader)
    if code or '"failed": true' in said:
        raise SystemExit(f"{command}: {said}")
    return seconds, memory


def wish(gateway: RealGateway, name: str, **arguments: Any) -> str:
    return json.dumps({"module": name, "arguments": {"state_dir": str(gateway.folder), "user": "root", **arguments}}) + "\n"


def best(measure: Callable[[], tuple[float, int]]) -> tuple[float, int]:
    return min(measure() for _ in range(PAIRS))


def lists(kind: str, folder: Path) -> None:
    """One entry more, and the same again, on lists of three sizes."""
    for size in (1, 1_000, 100_000):
        gateway = RealGateway(kind, folder / f"{kind}-{size}")
        gateway.ask("7")
        everybody = [str(number) for number in range(size)]
        filled = measured(RUNNER, wish(gateway, "gateway_allowlist", channel="telegram", entries=everybody))
        numbers = iter(range(10**9, 10**9 + 100))
        one = best(lambda: measured(RUNNER, wish(gateway, "gateway_allowlist", channel="telegram", entries=[str(next(numbers))])))  # noqa: B023
        settled = best(lambda: measured(RUNNER, wish(gateway, "gateway_allowlist", channel="telegram", entries=everybody)))  # noqa: B023
        figures = " | ".join(f"{seconds * 1000:.0f} ms, {memory} MiB" for seconds, memory in (filled, one, settled))
        print(f"| {KINDS[kind]} | {size:,} | {figures} |", flush=True)


def approvals(kind: str, folder: Path) -> None:
    """The same approval by the gateway's command and by the module, in turns."""
    gateway = RealGateway(kind, folder / f"{kind}-approve")
    theirs, ours = [], []
    for number in range(PAIRS):
        [code] = gateway.ask(str(100 + number))
        theirs.append(measured([*gateway.command, "pairing", "approve", "telegram", code], environment=gateway.environment))
        [code] = gateway.ask(str(200 + number))
        ours.append(measured(RUNNER, wish(gateway, "gateway_pairing", code=code)))
    command, module = min(theirs), min(ours)
    ratio = command[0] / module[0]
    line = f"{command[0]:.2f} s, {command[1]} MiB | {module[0]:.3f} s, {module[1]} MiB | {ratio:.0f} times"
    print(f"| {gateway.product} {KINDS[kind]} | {line} |", flush=True)
    if len(gateway.approved()) != 2 * PAIRS:
        raise SystemExit(f"{kind}: not everybody was approved")


def settled_play(host: str) -> None:
    """`access.yml` on a host where nothing is to be done."""
    lab.site(host, playbook="playbooks/access.yml")
    seconds = []
    for _ in range(PAIRS):
        begin = time.monotonic()
        done = lab.site(host, playbook="playbooks/access.yml")
        seconds.append(time.monotonic() - begin)
        if "changed=0" not in done.stdout:
            raise SystemExit(f"access.yml is not settled on {host}:\n{done.stdout[-2000:]}")
    print(f"settled access.yml, one host: {min(seconds):.1f} s")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = best(lambda: measured([sys.executable, "-c", "import ansible.module_utils.basic"]))
        print(f"an interpreter with Ansible's module library and nothing to do: {empty[0] * 1000:.0f} ms, {empty[1]} MiB\n")
        print("| store | entries | written at once | one more | settled |\n|---|---|---|---|---|")
        for kind in KINDS:
            lists(kind, folder)
        print("\n| store | the gateway's command | gateway_pairing | |\n|---|---|---|---|")
        for kind in KINDS:
            approvals(kind, folder)
    if len(sys.argv) > 1:
        print()
        settled_play(sys.argv[1])


if __name__ == "__main__":
    main()
