# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: killed at every step, locked out, damaged files. The store is the old one or the new one, and the message names the file."""

from __future__ import annotations

import functools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from ansible.module_utils.lobsterpot import access, as_user, folder, json_store, sqlite_store, store

from tests.lab.doubles.gateway_stores import KINDS, GatewayStore

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

CODE = "ABCD2345"
Fault = Callable[[GatewayStore], object]


class Death:
    """Kills its process before the step whose number it was given: a call that touches the disk or the database."""

    def __init__(self, number: int) -> None:
        self.left = number

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingOs:
    """The `os` module for the JSON store, with a death in it."""

    def __init__(self, death: Death) -> None:
        self.death = death

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        if name not in ("open", "fdopen", "fsync", "link", "listdir", "mkdir", "rename", "rmdir", "unlink"):
            return found

        def dying(*args: Any, **named: Any) -> Any:
            self.death.step()
            return found(*args, **named)

        return dying


def killed(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that dies before a step; say whether it died. False means that it has fewer steps."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    death = Death(step)

    class DyingConnection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            death.step()
            return super().execute(*args)

        def executemany(self, *args: Any) -> sqlite3.Cursor:
            death.step()
            return super().executemany(*args)

    folder.os = DyingOs(death)
    sqlite_store.sqlite3.connect = functools.partial(sqlite3.connect, factory=DyingConnection)
    try:
        work()
    finally:
        os._exit(0)


def forget_lock(gateway: GatewayStore) -> None:
    """Let the time pass after which the gateway takes a lock directory for stale: 30 s."""
    for lock in gateway.credentials.glob("*.lock"):
        if lock.is_dir():
            os.utime(lock, (time.time() - 31, time.time() - 31))


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_step_of_a_change(run_module: RunModule, kind: str, tmp_path: Path) -> None:
    """After each death the list is the old one or the new one; the next run finishes it, and nothing is left lying about."""
    seen = set()
    step = 0
    dies = True
    while dies:
        step += 1
        gateway = GatewayStore(kind, tmp_path / str(step))
        gateway.approve("telegram", ["7", "8"])

        def work(place: Path = gateway.folder) -> object:
            return access.allowlist(store.open_store(place), "telegram", "default", ["9", "8"], state="exact", check=False)

        dies = killed(step, work)
        now = tuple(gateway.approved("telegram"))
        seen.add(now)
        assert now in (("7", "8"), ("8", "9")), f"step {step}"
        forget_lock(gateway)
        wish = {"state_dir": str(gateway.folder), "user": "root", "channel": "telegram", "entries": ["9", "8"], "state": "exact"}
        assert run_module("gateway_allowlist", wish)["changed"] is (now == ("7", "8"))
        run_module("gateway_allowlist", {**wish, "entries": ["5"]})
        assert gateway.approved("telegram") == ["5"]
        assert [path.name for path in gateway.credentials.iterdir() if path.name.startswith(".")] == []
    assert seen == {("7", "8"), ("8", "9")}
    assert step > 8


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sqlite"])
def test_a_gateway_that_is_making_the_file_takes_nothing_with_it(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looked before we had made the list, and puts its empty one in place while we are at it: `ensureJsonFile` takes no lock."""
    gateway = GatewayStore(kind, tmp_path / "state")
    made = []

    def the_gateway_goes_on(_seconds: float) -> None:
        [path] = gateway.credentials.glob("*-allowFrom.json")
        made.append(json.loads(path.read_text()))
        late = path.with_suffix(".tmp")
        late.write_text('{"version": 1, "allowFrom": []}')
        late.rename(path)

    monkeypatch.setattr(json_store.time, "sleep", the_gateway_goes_on)
    access.allowlist(store.open_store(gateway.folder), "telegram", "default", ["9"], state="present", check=False)
    assert made == [{"version": 1, "allowFrom": []}]
    assert gateway.approved("telegram") == ["9"]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_step_of_an_approval(run_module: RunModule, kind: str, tmp_path: Path) -> None:
    """A request is never gone before its sender is approved, so that approving again always ends well; the database knows no between."""
    between = ([["7", "42"], ["42"]],) if kind != "sqlite" else ()
    step = 0
    dies = True
    while dies:
        step += 1
        gateway = GatewayStore(kind, tmp_path / str(step))
        gateway.approve("telegram", ["7"])
        gateway.ask("telegram", {"42": CODE})

        def work(place: Path = gateway.folder) -> object:
            return access.pairing(store.open_store(place), "telegram", None, code=CODE, sender=None, approve=True, check=False)

        dies = killed(step, work)
        now = [gateway.approved("telegram"), gateway.pending("telegram")]
        assert now in ([["7"], ["42"]], [["7", "42"], []], *between), f"step {step}"
        forget_lock(gateway)
        run_module("gateway_pairing", {"state_dir": str(gateway.folder), "user": "root", "channel": "telegram", "sender": "42"})
        assert [gateway.approved("telegram"), gateway.pending("telegram")] == [["7", "42"], []]
    assert step > 8


def wish(gateway: GatewayStore, **more: Any) -> dict[str, Any]:
    return {"state_dir": str(gateway.folder), "user": "root", "channel": "telegram", "entries": ["42"], **more}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 0.3 s for a lock instead of 120."""
    assert store.open_store.__defaults__ == ("auto", 120.0)
    monkeypatch.setattr(store.open_store, "__defaults__", ("auto", 0.3))


def files(name: str, content: str, encoding: str = "utf-8") -> Fault:
    return lambda gateway: (gateway.credentials / name).write_bytes(content.encode(encoding))


def without_strict(gateway: GatewayStore) -> None:
    """The same columns, and an entry that is no text."""
    gateway.sql("""
        DROP TABLE channel_pairing_allow_entries;
        CREATE TABLE channel_pairing_allow_entries (
          channel_key TEXT NOT NULL, account_id TEXT NOT NULL, entry TEXT NOT NULL, sort_order INTEGER NOT NULL,
          updated_at INTEGER NOT NULL,
          PRIMARY KEY (channel_key, account_id, entry)
        );
        INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', x'ff', 0, 1);
    """)


ALLOWED, LOCK = "telegram-allowFrom.json", "telegram-allowFrom.json.lock"
GOOD = '{"version": 1, "allowFrom": ["7"]}'
DAMAGED: dict[str, tuple[str, Fault, str]] = {
    "truncated": ("unscoped", files(ALLOWED, '{"version": 1, "allowFrom": ["7"'), f"{ALLOWED} is no readable JSON"),
    "empty": ("unscoped", files(ALLOWED, ""), f"{ALLOWED} is no readable JSON"),
    "binary": ("scoped", files(ALLOWED, "\0\x01\x02"), f"{ALLOWED} is no readable JSON"),
    "deep": ("unscoped", files(ALLOWED, "[" * 10_000), f"{ALLOWED} is no readable JSON"),
    "deep objects": ("scoped", files(ALLOWED, '{"a":' * 10_000), f"{ALLOWED} is no readable JSON"),
    "another version": ("unscoped", files(ALLOWED, '{"version": 2, "allowFrom": ["7"]}'), f"{ALLOWED} is not of version 1"),
    "no list": ("scoped", files(ALLOWED, '{"version": 1, "allowFrom": {}}'), f"{ALLOWED} is not of version 1"),
    "no object": ("unscoped", files(ALLOWED, '["7"]'), f"{ALLOWED} is not of version 1"),
    "numbers": ("scoped", files(ALLOWED, '{"version": 1, "allowFrom": [7]}'), f"{ALLOWED} holds an entry that is no text"),
    "a byte order mark": ("unscoped", files(ALLOWED, GOOD, "utf-8-sig"), f"{ALLOWED} is no readable JSON"),
    "UTF-16": ("scoped", files(ALLOWED, GOOD, "utf-16"), f"{ALLOWED} is no readable JSON"),
    "no number": ("unscoped", files(ALLOWED, '{"version": 1, "allowFrom": ["7"], "x": NaN}'), f"{ALLOWED} is no readable JSON"),
    "infinity": ("scoped", files(ALLOWED, '{"version": 1, "allowFrom": ["7"], "x": -Infinity}'), f"{ALLOWED} is no readable JSON"),
    "true for a version": ("scoped", files(ALLOWED, '{"version": true, "allowFrom": ["7"]}'), f"{ALLOWED} is not of version 1"),
    "no STRICT": ("sqlite", without_strict, "the table channel_pairing_allow_entries is not STRICT"),
    "a unique index": (
        "sqlite",
        lambda g: g.sql("CREATE UNIQUE INDEX one ON channel_pairing_allow_entries(entry)"),
        "a unique index 'one' on channel_pairing_allow_entries is not the gateway's",
    ),
    "a newer database": ("sqlite", lambda g: g.sql("PRAGMA user_version = 19"), "has user_version 19; 18 is the newest that is known here"),
    "newer content": (
        "sqlite",
        lambda g: g.insert("config_machine_state", ("state.schema.contentVersion", "19", 1)),
        "has user_version 19; 18 is the newest that is known here",
    ),
    "no database": ("sqlite", lambda g: g.database.write_text("certainly no database " * 500), "openclaw.sqlite: file is not a database"),
    "an empty database": ("sqlite", lambda g: g.database.write_bytes(b""), "openclaw.sqlite is empty: no gateway has set it up"),
    "a missing table": ("sqlite", lambda g: g.sql("DROP TABLE channel_pairing_allow_entries"), "is not as this gateway's versions make it"),
    "another column": (
        "sqlite",
        lambda g: g.sql("ALTER TABLE channel_pairing_allow_entries ADD COLUMN note TEXT"),
        "the table channel_pairing_allow_entries is not as this gateway's versions make it",
    ),
    "a trigger": (
        "sqlite",
        lambda g: g.sql("CREATE TRIGGER t AFTER INSERT ON channel_pairing_allow_entries BEGIN SELECT 1; END"),
        "a trigger 't' on channel_pairing_allow_entries is not the gateway's",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named_and_left_alone(run_module: RunModule, tmp_path: Path, case: str, snapshot: Snapshot) -> None:
    """The gateway takes a damaged file for empty and overwrites it; we say which one it is and do not touch it."""
    kind, damage, words = DAMAGED[case]
    gateway = GatewayStore(kind, tmp_path / "state-dir")
    for leftover in gateway.folder.glob("state/*-*"):
        leftover.unlink()
    damage(gateway)
    before = snapshot(gateway.credentials), gateway.database.exists() and gateway.database.read_bytes()
    message = run_module("gateway_allowlist", wish(gateway), fails=True)["msg"]
    assert words in message
    assert str(gateway.folder) in message
    assert (snapshot(gateway.credentials), gateway.database.exists() and gateway.database.read_bytes()) == before


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_pair_of_somebody_stops_nobody_else(run_module: RunModule, tmp_path: Path, kind: str) -> None:
    """A name cut in the middle of a character, in another's request, is written back as the gateway writes it."""
    gateway = GatewayStore(kind, tmp_path / "state-dir")
    gateway.ask("telegram", {"42": CODE, "43": "ZZZZ2222"})
    if kind == "sqlite":
        gateway.sql("""UPDATE channel_pairing_requests SET meta_json = '{"firstName": "\\ud83d"}' WHERE request_id = '43'""")
    else:
        path = gateway.credentials / "telegram-pairing.json"
        path.write_text(path.read_text().replace('"Ada"', '"\\ud83d"'))
    run_module("gateway_pairing", {"state_dir": str(gateway.folder), "user": "root", "code": CODE})
    assert (gateway.approved("telegram"), gateway.pending("telegram")) == (["42"], ["43"])
    if kind != "sqlite":
        assert '"\\ud83d"' in path.read_text()


def owned_by(pid: int, **more: object) -> str:
    return json.dumps({"pid": pid, "createdAt": "2026-09-06T12:00:00.000Z", **more})


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def held_directory(gateway: GatewayStore) -> None:
    (gateway.credentials / LOCK).mkdir()


HELD: dict[str, tuple[str, Fault]] = {
    "a lock directory in use": ("unscoped", held_directory),
    "a file where a directory belongs": ("unscoped", files(LOCK, owned_by(os.getpid()))),
    "a lock file in use": ("scoped", files(LOCK, owned_by(os.getpid()))),
    "an empty lock file": ("scoped", files(LOCK, "")),
    "somebody else's lock file": ("scoped", files(LOCK, "occupied by backup.sh")),
    "a directory where a file belongs": ("scoped", held_directory),
}


@pytest.mark.parametrize("case", HELD)
@pytest.mark.usefixtures("impatient")
def test_a_lock_is_respected(run_module: RunModule, tmp_path: Path, case: str, snapshot: Snapshot) -> None:
    """Whoever holds it keeps it; the message names it and the way out, and nothing is changed."""
    kind, hold = HELD[case]
    gateway = GatewayStore(kind, tmp_path / "state-dir")
    gateway.approve("telegram", ["7"])
    hold(gateway)
    before = snapshot(gateway.credentials)
    message = run_module("gateway_allowlist", wish(gateway), fails=True)["msg"]
    assert message.startswith(f"{gateway.credentials / LOCK} has been held for 0 s. Nothing was changed.")
    assert f"delete {gateway.credentials / LOCK}" in message
    after = snapshot(gateway.credentials)
    changed_folder = str(gateway.credentials)  # its time changes with the lock that was tried
    assert {path: seen for path, seen in after.items() if path != changed_folder} == {
        p: s for p, s in before.items() if p != changed_folder
    }


def old_directory(gateway: GatewayStore) -> None:
    held_directory(gateway)
    forget_lock(gateway)


def dead_owner(gateway: GatewayStore) -> None:
    files(LOCK, owned_by(gone()))(gateway)


STALE: dict[str, tuple[str, Fault]] = {
    "a lock directory of 31 s": ("unscoped", old_directory),
    "a dead owner's file": ("scoped", dead_owner),
    "a number that another process has by now": ("scoped", files(LOCK, owned_by(os.getpid(), starttime=1))),
    "an old file without an owner": ("scoped", files(LOCK, '{"createdAt": "2026-01-01T00:00:00.000Z"}')),
}


@pytest.mark.parametrize("case", STALE)
@pytest.mark.usefixtures("impatient")
def test_a_stale_lock_is_taken_over(run_module: RunModule, tmp_path: Path, case: str) -> None:
    """By the gateway's own rule for each, so that nobody has to clean up after a crash."""
    kind, leave = STALE[case]
    gateway = GatewayStore(kind, tmp_path / "state-dir")
    leave(gateway)
    assert run_module("gateway_allowlist", wish(gateway))["changed"] is True
    assert gateway.approved("telegram") == ["42"]
    assert list(gateway.credentials.glob("*.lock")) == []


@pytest.mark.usefixtures("impatient")
def test_a_locked_database_is_respected(run_module: RunModule, tmp_path: Path) -> None:
    """The message names it; what needs no change needs no lock; when it is free again the change is made."""
    gateway = GatewayStore("sqlite", tmp_path / "state-dir")
    gateway.approve("telegram", ["7"])
    with closing(sqlite3.connect(gateway.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        message = run_module("gateway_allowlist", wish(gateway), fails=True)["msg"]
        assert message.startswith(f"{gateway.database}: another process has held its lock for 0 s. See who: fuser {gateway.database}.")
        assert run_module("gateway_allowlist", wish(gateway, entries=["7"]))["changed"] is False
        assert run_module("gateway_pairing_info", {"state_dir": str(gateway.folder), "user": "root"})["channels"] != {}
    assert gateway.approved("telegram") == ["7"]
    assert run_module("gateway_allowlist", wish(gateway))["changed"] is True


def test_a_lock_that_is_let_go_in_time_is_waited_for(run_module: RunModule, tmp_path: Path) -> None:
    """The gateway holds its lock for up to 3 s: that is no failure."""
    gateway = GatewayStore("sqlite", tmp_path / "state-dir")
    hold = "import sqlite3, sys, time; d = sqlite3.connect(sys.argv[1]); d.execute('BEGIN IMMEDIATE'); print(flush=True); time.sleep(1)"
    with subprocess.Popen([sys.executable, "-c", hold, str(gateway.database)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert run_module("gateway_allowlist", wish(gateway))["changed"] is True


@pytest.mark.usefixtures("impatient")
def test_the_gateways_coordinator_is_respected(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands hold a database of its own while they write, and while they replace the real one: then nobody else may write."""
    gateway = GatewayStore("sqlite", tmp_path / "state-dir")
    monkeypatch.setattr(sqlite_store, "_LOCKS", (str(tmp_path / "missing"), str(tmp_path / "locks-{uid}")))
    locks = tmp_path / f"locks-{os.getuid()}"
    locks.mkdir(0o700)
    monkeypatch.setattr(sqlite_store.hashlib, "sha256", FixedDigest)
    with closing(sqlite3.connect(locks / "state-lifecycle.01234567.lock.sqlite", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert "held its lock" in run_module("gateway_allowlist", wish(gateway), fails=True)["msg"]
    assert run_module("gateway_allowlist", wish(gateway))["changed"] is True


class FixedDigest:
    """A hash that the test knows."""

    def __init__(self, _: bytes) -> None:
        return

    def hexdigest(self) -> str:
        return "0123456789abcdef"


def test_work_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """Whatever blocks, the run goes on after a limit; and a process that dies on its own is said to have died."""

    def forever() -> NoReturn:
        while True:
            signal.pause()

    begin = time.monotonic()
    with pytest.raises(store.LobsterpotError, match="could not be worked on within 1 s"):
        as_user.run("root", tmp_path, forever, seconds=1)
    assert time.monotonic() - begin < 5
    with pytest.raises(store.LobsterpotError, match="ended by SIGBUS"):
        as_user.run("root", tmp_path, lambda: os.kill(os.getpid(), signal.SIGBUS))


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A store that makes the work grow ends it, not the host."""
    with pytest.raises(store.LobsterpotError, match="needs more than 1024 MiB"):
        as_user.run("root", tmp_path, lambda: {"much": len(bytes(2 << 30))})


def test_the_lock_file_is_the_gateways(tmp_path: Path) -> None:
    """The lock file that others read has the form of the gateway's own, down to the milliseconds."""
    gateway = GatewayStore("scoped", tmp_path / "state-dir")
    seen: dict[str, Any] = {}

    def work() -> dict[str, Any]:
        opened = store.open_store(gateway.folder)

        def look(before: list[str]) -> list[str]:
            seen.update(json.loads((gateway.credentials / LOCK).read_text()), me=os.getpid())
            return before

        opened.update("telegram", "default", look)
        return seen

    lock = as_user.run("root", gateway.folder, work)
    assert list(lock) == ["pid", "createdAt", "starttime", "me"]
    assert lock["pid"] == lock["me"]
    assert abs(datetime.fromisoformat(lock["createdAt"]).timestamp() - datetime.now(UTC).timestamp()) < 60
    assert lock["createdAt"][-5:-4] == "." and lock["createdAt"].endswith("Z")
    assert not list(gateway.credentials.iterdir())
