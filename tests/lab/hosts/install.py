"""`./install.sh` on the laptop, as an operator runs it.

    python3 -m tests.lab laptop python3 -m tests.lab.hosts.install [--busy] [--cut-the-power]

busy: one processor of this computer is busy meanwhile. cut-the-power: the machine loses its power in the middle; then `./install.sh` runs
again, which must finish.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import lab
from tests.lab import limits

HOME = lab.VMS / "openclaw"

# The sandbox's image is being loaded, since a while if that takes a while: half of it is on the disk.
MOMENT = re.compile(r"0:15 Sandbox \| Load it|TASK \[sandbox : Sandbox \| Load it")

# What the hosts of the other scenarios are told, and the secrets planted for this one.
PLANTED = lab.STATE / "vm-planted.json"
VARIABLES = ["-e", f"@{lab.ROOT}/molecule/shared/inventory/group_vars/gateways.yml", "-e", f"@{PLANTED}"]


def plant() -> None:
    """Make the secrets, and let the lab know of the machine."""
    lab.STATE.mkdir(parents=True, exist_ok=True)
    planted = {name: f"planted-{secrets.token_hex(16)}" for name in ("token", "model", "extra")}
    PLANTED.touch(mode=0o600)
    PLANTED.write_text(json.dumps({"lab_planted": planted}))
    # For attacks on it: what it sends comes out of the laptop, whose number this is. Its address is passt's; of IPv6 it has loopback alone.
    variables = {"ansible_host": "10.0.2.15", "lab_ipv6": "::1", "lab_planted": planted}
    (lab.STATE / "host-openclaw.json").write_text(json.dumps({"number": lab.LAPTOP_NUMBER, "variables": variables}))


def start(log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(["./install.sh", *VARIABLES], stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=lab.ROOT)


def install(log: Path) -> int:
    """Run it to its end; return its exit code."""
    code = start(log).wait()
    print(log.read_text(errors="replace")[-4000:], flush=True)
    return code


def cut_the_power() -> None:
    """Kill the machine's processes: nothing is written, nobody is told."""
    listing = subprocess.run(["pgrep", "-f", f"run_vm.py {HOME}"], check=True, capture_output=True, text=True).stdout
    for pid in listing.split():
        os.kill(int(pid), signal.SIGKILL)


def lose_the_power(log: Path) -> bool:
    """Run it until the moment when the machine loses its power; return whether there was one."""
    first = start(log)
    while first.poll() is None and not MOMENT.search(log.read_text(errors="replace")):
        time.sleep(0.5)
    if first.poll() is None:
        cut_the_power()
    if first.wait(timeout=limits.INSTALL_FAILS) == 0:
        print("The first run was over before the power was cut.", file=sys.stderr)
        return False
    print(log.read_text(errors="replace")[-1500:], "\n--- the power was cut; once more ---", flush=True)
    return True


@contextmanager
def busy_processor() -> Iterator[None]:
    """A process that never rests."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab.hosts.install", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--cut-the-power", action="store_true")
    arguments = parser.parse_args()
    plant()
    if arguments.cut_the_power and not lose_the_power(lab.STATE / "install-1.log"):
        return 1
    if not arguments.busy:
        return install(lab.STATE / "install-2.log")
    with busy_processor():
        return install(lab.STATE / "install-busy.log")


if __name__ == "__main__":
    sys.exit(main())
