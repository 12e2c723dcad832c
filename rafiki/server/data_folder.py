"""The data folder: one server's at a time, and nobody else's to read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rafiki.errors import InvalidSettingsError

#: Where the superadmin's generated password is, until it is changed.
SUPERADMIN_PASSWORD = "superadmin_password"


@contextmanager
def locked_data_folder(data_dir: Path) -> Iterator[None]:
    """Make the folder where it is missing, and hold its lock; `InvalidSettingsError` names who else holds it."""
    lock_path = data_dir / "server.lock"
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True)
        if lock_path.exists() or not any(data_dir.iterdir()):
            data_dir.chmod(0o700)  # a folder that holds other things too keeps its mode
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidSettingsError(f"the data folder {data_dir} cannot be used: {error.strerror}") from error
    try:
        _take_lock(lock, data_dir)
        yield
    finally:
        os.close(lock)


def _take_lock(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 32).decode() or "unknown"
        message = f"another server (pid {holder}) uses the data folder {data_dir}"
        raise InvalidSettingsError(message, "stop it, or choose another folder with --data-dir") from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


def write_server_file(data_dir: Path, url: str) -> None:
    """Tell other programs of this machine that the server answers, and where."""
    write_private(data_dir / "server.json", json.dumps({"pid": os.getpid(), "url": url}) + "\n")


def remove_server_file(data_dir: Path) -> None:
    (data_dir / "server.json").unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read; it is whole or not there."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
