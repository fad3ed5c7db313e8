"""S15: root runs the modules on a store whose owner is the attacker. A canary of root's stays as it is, whatever lies in the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.real_gateway import modules
from tests.lab.doubles.gateway_stores import KINDS, GatewayStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be tricked into using its rights")

ATTACKER = 2000
CODE = "ABCD2345"
Trap = Callable[["Scene"], None]


class Scene:
    """A state directory of the attacker's and a directory of root's beside it."""

    def __init__(self, folder: Path, kind: str) -> None:
        folder.chmod(0o755)
        self.home = folder / "home"
        self.vault = folder / "vault"
        self.vault.mkdir(mode=0o700)
        canary = self.vault / "canary"
        canary.touch(mode=0o600)
        canary.write_text('{"version": 1, "allowFrom": ["root-only"]}\n')
        self.store = GatewayStore(kind, self.home / "state-dir")
        self.store.approve("telegram", ["7"])
        self.store.ask("telegram", {"42": CODE})
        self.give()

    def give(self) -> None:
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, ATTACKER, ATTACKER, follow_symlinks=False)

    def canary(self) -> list[tuple[object, ...]]:
        """Everything about root's directory but the time of reading."""
        found: list[tuple[object, ...]] = []
        for path in (self.vault, *sorted(self.vault.rglob("*"))):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found.append(
                (path.name, content, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns, status.st_ctime_ns)
            )
        return found

    def run(self) -> list[dict[str, Any]]:
        """Root does everything that can be done."""
        common = {"state_dir": str(self.store.folder)}
        listed = {**common, "channel": "telegram", "entries": ["9"]}
        return modules(
            [
                ("gateway_pairing_info", common),
                ("gateway_allowlist", listed),
                ("gateway_allowlist", {**listed, "state": "exact"}),
                ("gateway_pairing", {**common, "code": CODE}),
                ("gateway_pairing", {**common, "channel": "telegram", "sender": "42", "state": "dismissed"}),
            ]
        )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Reachable for the attacker, which pytest's own directories are not."""
    made = Path(tempfile.mkdtemp(prefix="lobsterpot-hostile-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def swap(path: Path, target: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.away"))
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


def allow_files(scene: Scene) -> list[Path]:
    store = scene.store
    names = {store.list_name("telegram"), "telegram-allowFrom.json", "telegram-pairing.json"}
    return [store.credentials / name for name in sorted(names)]


def linked_files(scene: Scene) -> None:
    for path in allow_files(scene):
        swap(path, scene.vault / "canary")


def hard_linked_files(scene: Scene) -> None:
    """Possible where fs.protected_hardlinks is off."""
    for path in allow_files(scene):
        path.unlink(missing_ok=True)
        path.hardlink_to(scene.vault / "canary")


def pipes(scene: Scene) -> None:
    for path in allow_files(scene):
        path.unlink(missing_ok=True)
        os.mkfifo(path)


def devices(scene: Scene) -> None:
    for path in allow_files(scene):
        swap(path, Path("/dev/zero"))


def a_gigabyte(scene: Scene) -> None:
    for path in allow_files(scene):
        with path.open("wb") as stream:
            stream.truncate(1 << 30)


def deep_json(scene: Scene) -> None:
    for path in allow_files(scene):
        path.write_text('{"version": 1, "allowFrom": ' + "[" * 10_000 + "]" * 10_000 + "}")


def locks_elsewhere(scene: Scene) -> None:
    for path in allow_files(scene):
        path.with_name(f"{path.name}.lock").symlink_to(scene.vault / "canary")


def credentials_elsewhere(scene: Scene) -> None:
    swap(scene.store.credentials, scene.vault)


def state_elsewhere(scene: Scene) -> None:
    swap(scene.store.folder, scene.vault)


def state_of_roots(scene: Scene) -> None:
    """A directory of root's, moved to where the state directory was: its owner is no reason to work as root."""
    scene.store.folder.rename(scene.home / "away")
    scene.vault.rename(scene.store.folder)
    scene.vault.symlink_to(scene.store.folder)


def database_elsewhere(scene: Scene) -> None:
    shutil.copy(scene.store.database, scene.vault / "root.sqlite")
    swap(scene.store.database, scene.vault / "root.sqlite")


def database_log_elsewhere(scene: Scene) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        swap(scene.store.database.with_name(f"openclaw.sqlite{suffix}"), scene.vault / "canary")


def database_is_a_pipe(scene: Scene) -> None:
    scene.store.database.unlink()
    os.mkfifo(scene.store.database)


def endless_rows(scene: Scene) -> None:
    """A view in place of a table, which never ends."""
    scene.store.sql(
        "DROP TABLE channel_pairing_allow_entries; CREATE VIEW channel_pairing_allow_entries AS "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT 'telegram' channel_key, 'default' account_id, i entry, i sort_order, i updated_at FROM n"
    )


JSON_TRAPS = [linked_files, hard_linked_files, pipes, devices, a_gigabyte, deep_json, locks_elsewhere, credentials_elsewhere]
SQLITE_TRAPS = [database_elsewhere, database_log_elsewhere, database_is_a_pipe, endless_rows]
CASES = [
    *((kind, trap) for kind in ("unscoped", "scoped") for trap in JSON_TRAPS),
    *(("sqlite", trap) for trap in SQLITE_TRAPS),
    *((kind, trap) for kind in KINDS for trap in (state_elsewhere, state_of_roots)),
]


@pytest.mark.parametrize(("kind", "trap"), CASES, ids=[f"{kind}-{trap.__name__}" for kind, trap in CASES])
def test_a_trap_catches_nobody(folder: Path, kind: str, trap: Trap) -> None:
    """Root neither reads, writes nor owns anything through it, and does not wait for it."""
    scene = Scene(folder, kind)
    trap(scene)
    if trap is not state_of_roots:
        scene.give() if trap is not hard_linked_files else None
    before = scene.canary()
    begin = time.monotonic()
    results = scene.run()
    assert time.monotonic() - begin < 60
    assert scene.canary() == before
    assert "root-only" not in json.dumps(results)
    if trap is not state_of_roots:
        assert [str(path) for path in scene.home.rglob("*") if path.lstat().st_uid == 0 and path.lstat().st_nlink == 1] == []


@pytest.mark.parametrize("trap", [linked_files, credentials_elsewhere])
def test_the_traps_are_good(folder: Path, trap: Trap) -> None:
    """Who writes as root and follows links does change the canary."""
    scene = Scene(folder, "unscoped")
    trap(scene)
    before = scene.canary()
    (scene.store.credentials / "telegram-allowFrom.json").write_text("caught")
    assert scene.canary() != before


def test_what_root_makes_belongs_to_the_gateway(folder: Path) -> None:
    """Files, locks and the database's own files are the owner's and private, in every form of store."""
    for kind in KINDS:
        place = folder / kind
        place.mkdir()
        scene = Scene(place, kind)
        for leftover in scene.store.folder.glob("state/*-*"):
            leftover.unlink()
        assert [result.get("failed", False) for result in scene.run()] == [False] * 5
        assert scene.store.approved("telegram") == ["9", "42"]
        made = [path for path in scene.store.folder.rglob("*") if path.is_file()]
        assert {(path.stat().st_uid, path.stat().st_gid, oct(path.stat().st_mode & 0o777)) for path in made} == {
            (ATTACKER, ATTACKER, "0o600")
        }


RACE = """
import contextlib, itertools, os, sys
path, target = sys.argv[1], sys.argv[2]
print(flush=True)
for number in itertools.count():
    away = f"{path}.{number}"
    for swap in ((os.rename, path, away), (os.symlink, target, path), (os.unlink, path), (os.rename, away, path)):
        with contextlib.suppress(OSError):  # the module may have made a new one meanwhile
            swap[0](*swap[1:])
"""


@pytest.mark.parametrize(
    ("kind", "raced"), [("unscoped", "credentials"), ("scoped", "credentials"), ("sqlite", "state"), ("sqlite", "state/openclaw.sqlite")]
)
def test_a_race_is_lost_by_the_attacker(folder: Path, kind: str, raced: str) -> None:
    """While the modules run, the attacker swaps a directory or the database for a link to root's and back, as fast as it can."""
    scene = Scene(folder, kind)
    shutil.copy(scene.vault / "canary", scene.vault / scene.store.list_name("telegram"))
    if kind == "sqlite":
        shutil.copy(scene.store.database, scene.vault / "openclaw.sqlite")
    target = scene.vault / ("openclaw.sqlite" if raced.endswith("sqlite") else "")
    before = scene.canary()
    command = ["/usr/bin/python3", "-c", RACE, str(scene.store.folder / raced), str(target)]
    with subprocess.Popen(command, user=ATTACKER, group=ATTACKER, extra_groups=[], stdout=subprocess.PIPE) as race:
        assert race.stdout
        race.stdout.readline()
        results = [result for _ in range(5) for result in scene.run()]
        assert race.poll() is None
        race.kill()
    assert scene.canary() == before
    assert "root-only" not in json.dumps(results)
    assert [str(path) for path in scene.home.rglob("*") if path.lstat().st_uid == 0] == []


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own."""
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk(small_disk: Path, kind: str) -> None:
    """The list stays the old one, the message says what is full, and with room again the next run succeeds."""
    scene = Scene(small_disk, kind)
    wish = (
        "gateway_allowlist",
        {"state_dir": str(scene.store.folder), "channel": "telegram", "entries": [str(10**9 + n) for n in range(6000)]},
    )
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass
    [result] = modules([wish])
    assert result["failed"] is True
    assert str(small_disk) in result["msg"]
    filler.unlink()
    assert scene.store.approved("telegram") == ["7"]
    assert modules([wish])[0]["changed"] is True
    assert len(scene.store.approved("telegram")) == 6001


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_only_disk(small_disk: Path, kind: str) -> None:
    """The message says so, and nothing is changed."""
    scene = Scene(small_disk, kind)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    [result] = modules([("gateway_allowlist", {"state_dir": str(scene.store.folder), "channel": "telegram", "entries": ["9"]})])
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert result["failed"] is True
    assert str(small_disk) in result["msg"]
    assert scene.store.approved("telegram") == ["7"]
