"""`./install.sh` on the laptop; in the middle of it the machine loses its power. Then `./install.sh` again, which must finish.

python tests/lab.py laptop python tests/vm/power_cut.py
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".cache" / "lab"
HOME = STATE / "vms" / "openclaw"

# The sandbox's image is being loaded, since a while if that takes a while: half of it is on the disk.
MOMENT = re.compile(r"0:15 Sandbox \| Load it|TASK \[sandbox : Sandbox \| Load it")

# What the hosts of the other scenarios are told, and the secrets planted for this one.
PLANTED = STATE / "vm-planted.json"
VARIABLES = ["-e", f"@{ROOT}/molecule/shared/inventory/group_vars/gateways.yml", "-e", f"@{PLANTED}"]


def start(log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(["./install.sh", *VARIABLES], stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=ROOT)


def cut_the_power() -> None:
    """Kill the machine's processes: nothing is written, nobody is told."""
    listing = subprocess.run(["pgrep", "-f", f"run_vm.py {HOME}"], check=True, capture_output=True, text=True).stdout
    for pid in listing.split():
        os.kill(int(pid), signal.SIGKILL)


def main() -> int:
    STATE.mkdir(parents=True, exist_ok=True)
    planted = {name: f"planted-{secrets.token_hex(16)}" for name in ("token", "model", "extra")}
    PLANTED.touch(mode=0o600)
    PLANTED.write_text(json.dumps({"lab_planted": planted}))
    # For attacks on it: what it sends comes out of the laptop, whose number this is. Its address is passt's; of IPv6 it has loopback alone.
    variables = {"ansible_host": "10.0.2.15", "lab_ipv6": "::1", "lab_planted": planted}
    (STATE / "host-openclaw.json").write_text(json.dumps({"number": 251, "variables": variables}))

    log = STATE / "install-1.log"
    first = start(log)
    while first.poll() is None and not MOMENT.search(log.read_text(errors="replace")):
        time.sleep(0.5)
    if first.poll() is None:
        cut_the_power()
    if first.wait(timeout=300) == 0:
        print("The first run was over before the power was cut.", file=sys.stderr)
        return 1
    print(log.read_text(errors="replace")[-1500:], "\n--- the power was cut; once more ---", flush=True)

    log = STATE / "install-2.log"
    code = start(log).wait()
    print(log.read_text(errors="replace")[-4000:], flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
