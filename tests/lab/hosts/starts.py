"""How often a gateway was started on a host, from its journal."""

from __future__ import annotations

import json
from collections import Counter

from tests.lab import figures
from tests.lab.hosts.doors import inside
from tests.lab.shell import STATE

UNITS = ("openclaw-gateway.service", "clawdbot-gateway.service")
# systemd's own, of systemd.messages(7): a unit begins to start, and has started. For a simple service there is only the second.
STARTING, STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"
MATCHES = " + ".join(
    f"MESSAGE_ID={message} {field}={unit}" for message in (STARTING, STARTED) for field in ("UNIT", "USER_UNIT") for unit in UNITS
)
CURSOR = "-- cursor: "


def starts(journal: str) -> int:
    """How many starts a journal shows, which journalctl printed as JSON."""
    entries = [json.loads(line) for line in journal.splitlines() if line.startswith("{")]
    seen = Counter((entry.get("UNIT") or entry.get("USER_UNIT"), entry["MESSAGE_ID"]) for entry in entries)
    return sum(max(seen[unit, STARTING], seen[unit, STARTED]) for unit in UNITS)


def note_starts(name: str) -> None:
    """Note the starts since the last time. Before a host restarts or goes: what its journal kept in memory is lost then."""
    if not figures.noting():
        return
    last = STATE / f"cursor-{name}"
    since = f"--after-cursor='{last.read_text()}'" if last.exists() else ""
    fields = "--output json --output-fields MESSAGE_ID,UNIT,USER_UNIT"
    said = inside(name, f"journalctl --quiet --no-pager --show-cursor {fields} {since} {MATCHES} || true", check=False)
    figures.note("starts", starts(said))
    for line in said.splitlines():
        if line.startswith(CURSOR):
            last.write_text(line.removeprefix(CURSOR))


def forget(name: str) -> None:
    """Of a host that is gone."""
    (STATE / f"cursor-{name}").unlink(missing_ok=True)
