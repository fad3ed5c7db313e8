# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that somebody hostile may write to. Everything goes through its descriptor, follows no link and never waits for a file."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from .errors import LobsterpotError

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_STAGED = ".lobsterpot-"


class Folder:
    """One directory, held open: renaming it or putting a link in its place changes nothing for who holds it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._fd = descriptor

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Raises LobsterpotError when there is none, and for a link in its place."""
        try:
            return cls(path, os.open(path, _READ | os.O_DIRECTORY))
        except OSError as error:
            raise LobsterpotError(f"{path}: {error.strerror}. A directory must be there, and a link is not followed.") from error

    def enter(self, name: str, *, make: bool = False) -> Folder | None:
        """Return a directory inside, private to its owner when it has to be made; None when there is none."""
        if make:
            self.make_directory(name)
        try:
            return Folder(self.path / name, os.open(name, _READ | os.O_DIRECTORY, dir_fd=self._fd))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LobsterpotError(
                f"{self.path / name}: {error.strerror}. A directory must be there, and a link is not followed."
            ) from error

    def names(self) -> list[str]:
        return sorted(os.listdir(self._fd))  # noqa: PTH208 - of the descriptor

    def status(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a plain file's content; None when there is no file. Raises LobsterpotError for anything else or above `limit` bytes."""
        path = self.path / name
        try:
            descriptor = os.open(name, _READ, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LobsterpotError(f"{path}: {error.strerror}. A plain file belongs there: move away what is there now.") from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LobsterpotError(f"{path} is no plain file. Move it away: a file belongs there.")
            if status.st_size > limit:
                raise LobsterpotError(f"{path} has {status.st_size} bytes, more than the {limit} that can be meant. Move it away.")
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return stream.read(limit)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Turn what a disk can refuse into a message that names the file; what callers decide by stays as it is."""
        try:
            yield
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError as error:
            way_out = "Look at the disk's free space and at the owner and mode of its directory. Nothing was changed."
            raise LobsterpotError(f"{self.path / name}: {error.strerror}. {way_out}") from error

    def _create(self, name: str, content: bytes, *, durable: bool) -> None:
        with os.fdopen(os.open(name, _NEW, 0o600, dir_fd=self._fd), "wb") as stream:
            stream.write(content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())

    def replace(self, name: str, content: bytes) -> None:
        """Put a file in place of another in one step."""
        staged = f"{_STAGED}{name}-{uuid.uuid4()}"
        with self._naming(name):
            try:
                self._create(staged, content, durable=True)
                os.rename(staged, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except BaseException:
                self.remove(staged)
                raise
            os.fsync(self._fd)

    def publish(self, name: str, content: bytes) -> bool:
        """Make a file that is never seen half written; False when there is one of this name, or somebody cleaned up meanwhile."""
        staged = f"{_STAGED}{name}-{uuid.uuid4()}"
        with self._naming(name):
            try:
                self._create(staged, content, durable=False)
                os.link(staged, name, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)
            except (FileExistsError, FileNotFoundError):
                return False
            finally:
                self.remove(staged)
        return True

    def clear(self, name: str) -> None:
        """Remove what killed calls left of a file and of its lock. Call it under the lock; who still waits for that makes it anew."""
        for left in self.names():
            if left.startswith((f"{_STAGED}{name}-", f"{_STAGED}{name}.lock-")):
                self.remove(left)

    def make_directory(self, name: str) -> bool:
        """Make an empty directory; False when there is something of this name."""
        with self._naming(name):
            try:
                os.mkdir(name, 0o700, dir_fd=self._fd)
            except FileExistsError:
                return False
        return True

    def remove(self, name: str, *, directory: bool = False) -> None:
        """Remove a file, or an empty directory, if it is there."""
        with self._naming(name), contextlib.suppress(FileNotFoundError):
            (os.rmdir if directory else os.unlink)(name, dir_fd=self._fd)
