"""Bytes by content: files named by their SHA-256, complete and durable from the moment that they are there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_READ_BYTES = 1 << 20
_HASH = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A blob is read-only and never changes. Writing what is there already is fine, also at the same time.

    While a blob is being written it is under `partial/`, locked; whatever lies there unlocked was left by a crash.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partial = folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)

    def writer(self) -> BlobWriter:
        """To be fed, then `commit`ted; as a context manager it `abort`s unless that was done."""
        return BlobWriter(self)

    def put_bytes(self, data: bytes) -> str:
        """Returns the hash."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()[0]

    def put_file(self, path: Path, move: bool = True) -> str:
        """Returns the hash. With `move` the file is gone afterwards, and has itself become the blob where it can.

        One that somebody could still change (it is open for writing, or has another name) is copied instead.
        Raises `ValueError` for what is no regular file.
        """
        with _open_regular(path) as source:
            if move and os.fstat(source.fileno()).st_dev == self._partial.stat().st_dev:
                # From here on it is where the worker that wrote it need not have access.
                fcntl.flock(source, fcntl.LOCK_EX)
                path = path.rename(self._partial / uuid.uuid4().hex)
                if _nobody_can_change(source):
                    return self._install(path, source.fileno(), hashlib.file_digest(source, "sha256").hexdigest())
            with self.writer() as writer:
                shutil.copyfileobj(source, writer, _READ_BYTES)
                content_hash, _ = writer.commit()
        if move:
            path.unlink()
        return content_hash

    def path(self, content_hash: str) -> Path:
        """The file, to be read only. Raises `FileNotFoundError`."""
        path = self._place(content_hash)
        if not path.exists():
            raise FileNotFoundError(f"there is no blob {content_hash}")
        return path

    def exists(self, content_hash: str) -> bool:
        return self._place(content_hash).exists()

    def size(self, content_hash: str) -> int:
        """Bytes; 0 where there is no such blob."""
        try:
            return self._place(content_hash).stat().st_size
        except FileNotFoundError:
            return 0

    def delete(self, content_hash: str) -> None:
        """Whatever refers to it. (`Store.sweep_blobs` deletes what nothing refers to.)"""
        self._place(content_hash).unlink(missing_ok=True)

    def delete_if_older(self, content_hash: str, age_s: float) -> bool:
        """Delete a blob that was last put longer ago than that. False: it was put since; True: it is gone.

        Who puts it at the same time either comes first, and it stays, or puts it anew.
        """
        place = self._place(content_hash)
        with self._lock():
            try:
                if place.stat().st_mtime > time.time() - age_s:
                    return False
                place.unlink()
            except FileNotFoundError:
                pass
        return True

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Held by who puts a blob where it may be already, and by who deletes one, whichever process that is."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def sweep_partial(self) -> int:
        """Remove what crashed writers left; what is being written, by any process, stays. Returns how many."""
        n_removed = 0
        for path in self._partial.iterdir():
            with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                n_removed += 1
        return n_removed

    def _touch(self, place: Path) -> bool:
        """Whether the blob is there already: then it counts as put just now."""
        with self._lock():
            try:
                os.utime(place)
            except FileNotFoundError:
                return False
            return True

    def older_than(self, age_s: float) -> Iterator[str]:
        """The hashes of blobs that were last put longer ago than that."""
        latest = time.time() - age_s
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= latest:
                    yield path.name

    def _place(self, content_hash: str) -> Path:
        if not _HASH.fullmatch(content_hash):
            raise ValueError(f"{content_hash!r} is no hash of a blob; expected 64 hexadecimal digits")
        return self._folder / content_hash[:2] / content_hash

    def _install(self, partial: Path, descriptor: int, content_hash: str) -> str:
        """Make the partial file the blob; on return it is durable."""
        place = self._place(content_hash)
        if not place.parent.exists():
            place.parent.mkdir(exist_ok=True, mode=0o700)
            _sync_folder(self._folder)
        if not self._touch(place):
            os.fchmod(descriptor, 0o444)
            os.utime(descriptor)
            os.fsync(descriptor)
            partial.rename(place)
        else:
            partial.unlink()
        # Also where the blob was there: who put it may not have come as far as this.
        _sync_folder(place.parent)
        return content_hash


class BlobWriter:
    """One blob in the making. Not thread-safe. Raises `OSError` where the disk is full."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._path, self._file = _create_locked(blobs._partial)
        self._hash = hashlib.sha256()
        self._size_bytes = 0

    def write(self, data: bytes | memoryview) -> int:
        self._file.write(data)
        self._hash.update(data)
        self._size_bytes += len(data)
        return len(data)

    def flush(self) -> Path:
        """What was written so far, as a file to be read only: a look at it before it is committed."""
        self._file.flush()
        return self._path

    def commit(self) -> tuple[str, int]:
        """The hash and the size in bytes. On return the blob is durable."""
        with self._file:
            self._file.flush()
            content_hash = self._blobs._install(self._path, self._file.fileno(), self._hash.hexdigest())
        return content_hash, self._size_bytes

    def abort(self) -> None:
        """Leave nothing. After a commit it does nothing."""
        if not self._file.closed:
            with self._file:
                self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.abort()


def _create_locked(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        path = folder / uuid.uuid4().hex
        file = path.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink == 1:
            return path, file
        file.close()  # a sweep came between


def _open_regular(path: Path) -> BufferedReader:
    # A worker chose what is at this path: a link could lead anywhere, a pipe would block.
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError(f"{path} is no regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # exchanged in between
        os.close(descriptor)
        raise ValueError(f"{path} is no regular file")
    return open(descriptor, "rb")


def _nobody_can_change(file: BinaryIO) -> bool:
    """Whether the file has one name only and nobody has it open, or mapped, for writing."""
    if os.fstat(file.fileno()).st_nlink != 1:
        return False
    try:
        # The kernel grants a read lease only then.
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:  # or it cannot tell, on this file system
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
