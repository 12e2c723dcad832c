"""Facts about the platform as a whole, by name."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from rafiki.store.database import Database
from rafiki.store.schema import meta


class Meta:
    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str) -> str | None:
        with self._db.read() as c:
            return _get(c, key)

    def set(self, key: str, value: str) -> None:
        with self._db.write() as c:
            c.execute(delete(meta).where(meta.c.key == key))
            c.execute(insert(meta).values(key=key, value=value))

    def get_or_set(self, key: str, value: str) -> str:
        """What `key` has; `value`, kept from now on, where it had nothing. All callers get the same."""
        with self._db.write() as c:
            kept = _get(c, key)
            if kept is None:
                c.execute(insert(meta).values(key=key, value=value))
            return value if kept is None else kept


def _get(c: Connection, key: str) -> str | None:
    value: str | None = c.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return value
