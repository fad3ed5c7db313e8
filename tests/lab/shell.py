"""Commands of this computer, and the places where the lab keeps its state."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab import limits

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".cache" / "lab"
VMS = STATE / "vms"
# A function for shell scripts: `wait_until 'ss -Hltn sport = :80 | grep -q .'`. A condition that never comes true fails the script.
WAIT_UNTIL = f"""
wait_until() {{
  local end=$((SECONDS + {limits.SCRIPT:.0f}))
  until eval "$1"; do
    if [ "$SECONDS" -ge "$end" ]; then echo "{limits.waited(limits.SCRIPT, "$1")}" >&2; return 1; fi
    sleep 0.1
  done
}}
"""


def run(*argv: str, check: bool = True, text_in: str | None = None) -> str:
    """Run a command, return its output; its own words become the error."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, input=text_in)
    if check and done.returncode:
        raise SystemExit(f"lab: {' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def quiet(*argv: str) -> bool:
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0
