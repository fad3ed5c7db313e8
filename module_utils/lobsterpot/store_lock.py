# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's two kinds of lock around a JSON file. Both lie beside it under its name and `.lock`."""

from __future__ import annotations

import json
import os
import random
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from .errors import LobsterpotError
from .folder import Folder
from .pairing import seconds

# The gateway's own `stale` of both kinds.
STALE_SECONDS = 30
_LOCK_BYTES = 4096


def _wait(lock: Path, limit: float, attempt: Callable[[], bool]) -> None:
    """Try until it succeeds, for `limit` seconds. In between it leaves the lock to the gateway, which tries 10 times and gives up."""
    deadline = time.monotonic() + limit
    while not attempt():
        if time.monotonic() > deadline:
            raise LobsterpotError(
                f"{lock} has been held for {limit:.0f} s. Nothing was changed. When no gateway and none of its commands run on this store, "
                f"delete {lock}; otherwise run this again."
            )
        time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - so that two of us do not meet each time


def _status(folder: Folder, lock: str) -> os.stat_result | None:
    """Raises LobsterpotError for what no gateway makes, such as a link."""
    status = folder.status(lock)
    if status and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise LobsterpotError(
            f"{folder.path / lock} is neither a file nor a directory: no gateway made it. Find out who did and delete it."
        )
    return status


@contextmanager
def directory_lock(folder: Folder, name: str, limit: float) -> Iterator[None]:
    """Hold `<name>.lock` as a directory: clawdbot and early openclaw, npm `proper-lockfile`. Its age tells whether it is stale."""
    lock = f"{name}.lock"

    def attempt() -> bool:
        if folder.make_directory(lock):
            return True
        status = _status(folder, lock)
        if status and stat.S_ISDIR(status.st_mode) and time.time() - status.st_mtime > STALE_SECONDS:
            folder.remove(lock, directory=True)
        return False

    _wait(folder.path / lock, limit, attempt)
    try:
        folder.clear(name)
        yield
    finally:
        folder.remove(lock, directory=True)


def _started(pid: int) -> tuple[str, int]:
    """State and start of a process, the latter in clock ticks since boot: proc_pid_stat(5), fields 3 and 22."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _dead(pid: int, start: object) -> bool:
    """Whether a lock's owner is gone for certain; a number that another process has by now counts as gone."""
    try:
        os.kill(pid, 0)
        state, now = _started(pid)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, IndexError):
        return False
    return state == "Z" or (isinstance(start, int) and start != now)


def _abandoned(content: bytes) -> bool:
    """Whether the gateway itself would take a lock file over: `shouldRemoveDeadOwnerOrExpiredLock` of 2026.7.35."""
    try:
        owner = json.loads(content)
    except (ValueError, RecursionError):
        return False
    pid = owner.get("pid") if isinstance(owner, dict) else None
    if isinstance(pid, int) and pid > 0:
        return _dead(pid, owner.get("starttime"))
    created = seconds(owner.get("createdAt")) if isinstance(owner, dict) else None
    return created is not None and time.time() - created > STALE_SECONDS


@contextmanager
def file_lock(folder: Folder, name: str, limit: float) -> Iterator[None]:
    """Hold `<name>.lock` as a file: openclaw 2026.2.26 to 2026.7.35. It names its owner, and only a dead one's is taken over.

    It appears with its content: one that is empty, as a process killed between the two leaves it, blocks the gateway for good.
    """
    lock = f"{name}.lock"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    owner = {"pid": os.getpid(), "createdAt": now, "starttime": _started(os.getpid())[1]}
    content = f"{json.dumps(owner, indent=2)}\n".encode()

    def attempt() -> bool:
        if folder.publish(lock, content):
            return True
        before = _status(folder, lock)
        if before and stat.S_ISREG(before.st_mode):
            held = folder.read(lock, _LOCK_BYTES)
            after = folder.status(lock)
            if held and _abandoned(held) and after and after.st_ino == before.st_ino:
                folder.remove(lock)
        return False

    _wait(folder.path / lock, limit, attempt)
    try:
        folder.clear(name)
        yield
    finally:
        folder.remove(lock)
