# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a piece of work as the user whose files it touches, in a process of its own that ends in time, whatever the files are."""

from __future__ import annotations

import json
import os
import pwd
import resource
import select
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from . import limits
from .errors import LobsterpotError

MAX_MEMORY = 1 << 30
MAX_ANSWER = 256 << 20
_STANDARD_STREAMS = 3


def identity(user: str | None, path: Path) -> tuple[int, int] | None:
    """Return user and group number to become: those of `user`, otherwise of the directory's owner. None when nothing is to be given up.

    Raises LobsterpotError rather than work as root on a directory that is root's: whoever owns its parent may have put it there.
    """
    if os.geteuid() != 0:
        return None
    if user:
        try:
            entry = pwd.getpwnam(user)
        except KeyError as error:
            raise LobsterpotError(f"user: there is no user {user} on this host.") from error
        return (entry.pw_uid, entry.pw_gid) if entry.pw_uid else None
    try:
        status = path.lstat()
    except OSError as error:
        raise LobsterpotError(f"state_dir: {path}: {error.strerror}. Has the gateway run on this host yet?") from error
    if not stat.S_ISDIR(status.st_mode):
        raise LobsterpotError(f"state_dir: {path} is no directory. A link is not followed: name the directory itself.")
    if status.st_uid == 0:
        raise LobsterpotError(f"user: {path} belongs to root. Name the user that the gateway runs as.")
    try:
        return status.st_uid, pwd.getpwuid(status.st_uid).pw_gid
    except KeyError:  # a number without a name, as containers have them; the directory's group may be anybody's
        return status.st_uid, status.st_uid


def _become(who: tuple[int, int] | None, keep: int, seconds: float) -> None:
    """Give up everything but the one descriptor, and bound time and memory."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(_STANDARD_STREAMS):
        os.dup2(null, stream)
    os.closerange(_STANDARD_STREAMS, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(int(seconds) + 1)  # ends this process also when its parent is gone
    os.umask(0o077)
    os.chdir("/")
    if who:
        os.setgroups([])
        os.setresgid(who[1], who[1], who[1])
        os.setresuid(who[0], who[0], who[0])


def _answer(work: Callable[[], dict[str, Any]], pipe: int) -> None:
    try:
        answer: dict[str, Any] = {"result": work()}
    except LobsterpotError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": f"The store needs more than {MAX_MEMORY >> 20} MiB of memory to read: look at its files."}
    except Exception as error:  # whatever a hostile file leads to
        answer = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(pipe, "w") as stream:
        json.dump(answer, stream)


def _child(work: Callable[[], dict[str, Any]], who: tuple[int, int] | None, pipe: int, seconds: float) -> NoReturn:
    try:
        _become(who, pipe, seconds)
        _answer(work, pipe)
    finally:
        os._exit(0)  # nothing of the parent's is run, flushed or closed


def _signal(status: int) -> str:
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "nothing known"


def run(user: str | None, path: Path, work: Callable[[], dict[str, Any]], seconds: float = limits.STORE_WORK) -> dict[str, Any]:
    """Return what `work` returns, made of what JSON can hold. Raises LobsterpotError with its error, and when it does not end in time."""
    who = identity(user, path)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(work, who, writing, seconds)
    os.close(writing)
    deadline, said = time.monotonic() + seconds, bytearray()
    try:
        while len(said) < MAX_ANSWER and select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not (piece := os.read(reading, 1 << 20)):
                break
            said += piece
    finally:
        late = time.monotonic() > deadline
        os.close(reading)
        os.kill(child, signal.SIGKILL)  # it has nothing more to do, and its end must not depend on it
        ended = os.waitpid(child, 0)[1]
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError) as error:
        how = f"within {seconds:.0f} s" if late else f"and the process was ended by {_signal(ended)}"
        words = (
            f"The store in {path} could not be worked on {how}. Look at its files, of which one may block, and at the disk's free space."
        )
        raise LobsterpotError(words) from error
    if "error" in answer:
        raise LobsterpotError(str(answer["error"]))
    result: dict[str, Any] = answer["result"]
    return result
