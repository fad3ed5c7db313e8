"""Commands of this computer, and the places where the lab keeps its state."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".cache" / "lab"
VMS = STATE / "vms"


def run(*argv: str, check: bool = True, text_in: str | None = None) -> str:
    """Run a command, return its output; its own words become the error."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, input=text_in)
    if check and done.returncode:
        raise SystemExit(f"lab: {' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def quiet(*argv: str) -> bool:
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0
