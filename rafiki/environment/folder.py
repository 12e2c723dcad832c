"""The folder of environments: each whole or not there, named after its content, listed with size and last use.

<address>/              an environment; its `rafiki.lock` is what it was built from; its `rafiki.unsynced`, which is
                        there until the disk has all of it, names the boot outside of which it may be damaged
.building-*/            one that is being built; its builder holds a lock on the folder while it lives
.removed-*/             one that is being removed
.failed/<address>       why an environment could not be built again
.requests/<key>         the address that a set of declared dependencies led to
.locks/<key>            held by who builds for that set, or that address
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import os
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rafiki.environment.disk import boot_id, sync_filesystem
from rafiki.environment.lock import Basis, Lock

_LOCK_FILE = "rafiki.lock"
_USED_FILE = "rafiki.used"
_UNSYNCED_FILE = "rafiki.unsynced"
_BUILDING, _REMOVED = ".building-", ".removed-"
_REMEMBERED_S = 24 * 3600.0


@dataclass(frozen=True)
class EnvironmentInfo:
    """`own_bytes` of its `size_bytes` are in files that nothing else links to: what removing it gives back at once."""

    address: str
    basis: Basis
    packages: dict[str, str]  # versions by name
    size_bytes: int
    own_bytes: int
    datetime_created: datetime
    datetime_last_used: datetime


class EnvironmentFolder:
    def __init__(self, path: Path) -> None:
        self.path = path

    # One environment --------------------------------------------------------------------------------------------------

    def prefix(self, address: str) -> Path:
        return self.path / address

    def python(self, address: str) -> Path:
        return self.prefix(address) / "bin" / "python"

    def is_built(self, address: str) -> bool:
        """It is there, and so is the interpreter that it was made of; no power failure can have cut its files short."""
        prefix = self.prefix(address)
        return (prefix / _LOCK_FILE).exists() and self.python(address).exists() and not _is_doubtful(prefix)

    def is_durable(self, address: str) -> bool:
        """The disk has all of it."""
        return not (self.prefix(address) / _UNSYNCED_FILE).exists()

    def make_durable(self, address: str) -> None:
        """Blocking, for as long as the disk needs. Nobody has to wait for it: what is lost before is built again."""
        if not self.is_durable(address):
            sync_filesystem(self.prefix(address))
            (self.prefix(address) / _UNSYNCED_FILE).unlink(missing_ok=True)

    def lock(self, address: str) -> Lock:
        return Lock.parse((self.prefix(address) / _LOCK_FILE).read_text())

    def why_absent(self, address: str) -> str:
        """Why it could not be built again, where that was tried."""
        try:
            return (self.path / ".failed" / address).read_text()
        except OSError:
            return ""

    def note_absent(self, address: str, reason: str) -> None:
        path = self.path / ".failed" / address
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(reason)

    def note_use(self, address: str) -> None:
        with suppress(OSError):  # no reason not to use it
            (self.prefix(address) / _USED_FILE).touch()

    # Building ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def staging(self, name: str) -> Iterator[Path]:
        """A new folder to build in. What is left of it in the end is removed, at the latest by the next `sweep`.

        For one `name` it has the same path again, where that is free: installers remember what they found there.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = next(path for no in itertools.count() if _make(path := self.path / f"{_BUILDING}{name}-{no}"))
        holding = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(holding, fcntl.LOCK_EX)
            yield path
        finally:
            _remove(path, holding)
            os.close(holding)

    def adopt(self, staging: Path, lock: Lock) -> None:
        """Make what was built an environment. Where another builder was first, his is kept."""
        address = lock.address
        (staging / _USED_FILE).touch()
        (staging / _UNSYNCED_FILE).write_text(boot_id())
        (staging / _LOCK_FILE).write_text(lock.text)
        if self.prefix(address).exists() and not self.is_built(address):  # its interpreter is gone, say
            self._discard(self.prefix(address))
        try:
            staging.rename(self.prefix(address))
        except OSError:
            if not self.is_built(address):
                raise
        (self.path / ".failed" / address).unlink(missing_ok=True)

    def recall(self, key: str, max_age_s: float = _REMEMBERED_S) -> str | None:
        """The address that a request led to, not longer ago than a day or so, if that environment is there."""
        path = self.path / ".requests" / key
        try:
            address, age_s = path.read_text(), time.time() - path.stat().st_mtime
        except OSError:
            return None
        return address if age_s < max_age_s and self.is_built(address) else None

    def remember(self, key: str, address: str) -> None:
        path = self.path / ".requests" / key
        path.parent.mkdir(exist_ok=True)
        partial = path.with_name(f".{key}.{secrets.token_hex(4)}")
        partial.write_text(address)
        partial.rename(path)

    @asynccontextmanager
    async def locked(self, key: str) -> AsyncIterator[None]:
        """One builder at a time, of this process and of others."""
        path = self.path / ".locks" / key
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = await _wait_for_lock(path, held)
            yield
        finally:
            os.close(held)

    # All of them ------------------------------------------------------------------------------------------------------

    def list(self) -> list[EnvironmentInfo]:
        """The most recently used first."""
        found = []
        for path in self.path.glob("[!.]*") if self.path.is_dir() else ():
            with suppress(OSError, ValueError):  # it is being removed, or none of ours
                found.append(_describe(path))
        return sorted(found, key=lambda info: info.datetime_last_used, reverse=True)

    def remove(self, address: str) -> bool:
        """False: there is none. From then on it is built anew where it is needed."""
        if "/" in address or address.startswith(".") or not self.prefix(address).is_dir():
            return False
        self._discard(self.prefix(address))
        return True

    def _discard(self, path: Path) -> None:
        removed = self.path / f"{_REMOVED}{secrets.token_hex(8)}"
        path.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what builders that died have left."""
        for path in [*self.path.glob(f"{_BUILDING}*"), *self.path.glob(f"{_REMOVED}*")]:
            holding = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(holding, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                _remove(path, holding)
            finally:
                os.close(holding)


def _make(path: Path) -> bool:
    """False: it is there already."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _remove(path: Path, holding: int) -> None:
    """Remove the folder that is held, unless it has gone elsewhere and another has its path."""
    with suppress(FileNotFoundError):
        if path.stat().st_ino == os.fstat(holding).st_ino:
            shutil.rmtree(path, ignore_errors=True)


async def _wait_for_lock(path: Path, fd: int) -> int:
    """A thread waits, for nothing else can; it may be given up, and does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    got: asyncio.Future[None] = loop.create_future()
    waiting = os.dup(fd)

    def settle() -> None:
        if not got.done():
            got.set_result(None)

    def wait() -> None:
        with suppress(OSError):
            fcntl.flock(waiting, fcntl.LOCK_EX)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle)
        os.close(waiting)

    threading.Thread(target=wait, daemon=True, name=f"lock {path.name}").start()
    await got
    return fd


def _is_doubtful(prefix: Path) -> bool:
    """It was built in another boot, and had not come to the disk for certain when that ended."""
    try:
        return (prefix / _UNSYNCED_FILE).read_text() != boot_id()
    except FileNotFoundError:
        return False


def _describe(path: Path) -> EnvironmentInfo:
    lock = Lock.parse((path / _LOCK_FILE).read_text())
    size_bytes = own_bytes = 0
    for folder, _, names in os.walk(path):
        for name in names:
            status = os.lstat(f"{folder}/{name}")
            size_bytes += status.st_size
            own_bytes += status.st_size if status.st_nlink == 1 else 0
    return EnvironmentInfo(
        address=path.name,
        basis=lock.basis,
        packages=lock.packages,
        size_bytes=size_bytes,
        own_bytes=own_bytes,
        datetime_created=_time(path / _LOCK_FILE),
        datetime_last_used=_time(path / _USED_FILE),
    )


def _time(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
