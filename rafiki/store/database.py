"""The database behind the store: all that is SQLite's own is here.

WAL; every write in `BEGIN IMMEDIATE` on the process's one writing connection, behind a lock; reads on pooled
connections that cannot write, each in one snapshot. `synchronous` is FULL for what is acknowledged to somebody and
NORMAL for logs, leases and starts of trials: those survive a killed process, reach the disk with the next FULL commit,
and what a power failure takes of them is about trials that it has ended too.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.pool import QueuePool, StaticPool

from rafiki.store.schema import REVISION, metadata

BUSY_TIMEOUT_S = 30.0
N_READERS = 8
MAX_READERS = 64

_to_json = partial(json.dumps, separators=(",", ":"))


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid.uuid4())


def to_int32(number: int) -> int:
    """The nearest number from 0 that every database takes, for numbers that users give to look something up."""
    return min(max(number, 0), 2**31 - 1)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time. (A lock on the database's own file would end SQLite's when it is closed.)"""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


class Database:
    """Opens, and creates or migrates where that is due. Thread-safe; not to be shared over a fork."""

    def __init__(self, path: Path) -> None:
        self._writer_lock = threading.RLock()
        self._is_durable: bool | None = None  # what `synchronous` is set to
        path.touch(mode=0o600)  # SQLite's other files get the same mode
        self._write_engine = _make_engine(path, "BEGIN IMMEDIATE", poolclass=StaticPool)
        self._read_engine = _make_engine(
            path, "BEGIN", poolclass=QueuePool, pool_size=N_READERS, max_overflow=MAX_READERS - N_READERS
        )
        event.listen(self._read_engine, "connect", _refuse_writes)
        self._writer = self._write_engine.connect()
        with _alone_in(path.parent):  # SQLite does not wait for others that switch a new database at the same time
            self._pragma("journal_mode=WAL")
        self._bring_up_to_date()

    @contextmanager
    def write(self, durable: bool = True) -> Iterator[Connection]:
        """One transaction that nobody else's writes come between. With `durable` it is on the disk on return."""
        with self._writer_lock:
            self._set_durable(durable)
            with self._writer.begin():
                yield self._writer

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot of the database; waits for no writer."""
        with self._read_engine.begin() as connection:
            yield connection

    def close(self) -> None:
        with self._writer_lock:
            self._read_engine.dispose()
            self._writer.close()
            self._write_engine.dispose()

    def _set_durable(self, durable: bool) -> None:
        if self._is_durable is not durable:  # outside of a transaction only, says SQLite
            self._pragma(f"synchronous={'FULL' if durable else 'NORMAL'}")
            self._is_durable = durable

    def _pragma(self, setting: str) -> None:
        connection = self._writer.connection.dbapi_connection
        assert connection is not None
        connection.cursor().execute(f"PRAGMA {setting}")

    # Revisions --------------------------------------------------------------------------------------------------------

    def _bring_up_to_date(self) -> None:
        with self.read() as c:
            revision = _revision(c)
        if revision is None:
            with self.write() as c:
                # Another process may have been faster.
                if _revision(c) is None:
                    _create(c)
                revision = _revision(c)
        if revision != REVISION:
            self._migrate()

    def _migrate(self) -> None:
        from rafiki.store.migrations import upgrade  # alembic takes long to import and is hardly ever needed

        with self._writer_lock:
            # Rebuilding a table, which is how SQLite alters one, must not trip over rows that refer to it.
            self._pragma("foreign_keys=OFF")
            try:
                with self.write() as c:
                    upgrade(c)
                    broken = c.exec_driver_sql("PRAGMA foreign_key_check").all()
                    if broken:
                        raise RuntimeError(f"the migration to revision {REVISION} left dangling rows: {broken[:5]}")
            finally:
                self._pragma("foreign_keys=ON")


def _create(c: Connection) -> None:
    """All tables at once, marked as what the migrations lead to."""
    metadata.create_all(c)
    c.execute(
        text(
            "CREATE TABLE alembic_version ("
            "version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    c.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": REVISION})


def _revision(c: Connection) -> str | None:
    """The database's revision; None for an empty one."""
    if not inspect(c).has_table("alembic_version"):
        return None
    return str(c.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def _make_engine(path: Path, begin: str, **options: Any) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        json_serializer=_to_json,
        **options,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", lambda connection: connection.connection.dbapi_connection.execute(begin))
    return engine


def _configure(connection: Any, record: Any) -> None:
    # Transactions are begun by us, not guessed by the driver.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")


def _refuse_writes(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA query_only=ON")
