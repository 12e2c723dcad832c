"""What the platform knows: rows in a database, bytes in blobs. The only part that knows SQL."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from rafiki.store.blobs import Blobs, BlobWriter
from rafiki.store.catalog import Catalog
from rafiki.store.database import Database
from rafiki.store.disk_use import referenced, referenced_of, usage_of
from rafiki.store.inference_jobs import InferenceJobs
from rafiki.store.jobs import Jobs
from rafiki.store.meta import Meta
from rafiki.store.slots import Slots
from rafiki.store.train_jobs import TrainJobs
from rafiki.store.trials import FinishedTrial, Trials
from rafiki.store.users import Users

if TYPE_CHECKING:
    from rafiki.entities import Usage
    from rafiki.settings import Settings

__all__ = ["BlobWriter", "FinishedTrial", "Store"]

#: Between putting a blob and making its row there is a write to the database, which waits for others for 30 s at most.
UNUSED_BLOB_AGE_S = 60.0
_BATCH = 200


class Store:
    """One section per noun. All calls block (for fractions of a millisecond) and may come from any thread.

    - Several processes may have the same store open; each write is one transaction, and nobody sees a half of one.
    - What returned is on the disk, but for logs, leases, active time and the start of a trial: those outlive a killed
      process, and a loss of power once any other write has returned.
    - Changes of status are compare-and-set by the tables in `rafiki.entities`: losing a race returns False.
    - A runner's writes carry its epoch, and raise `FencedError` once that is over.
    - What is refused raises an error of `rafiki.errors`; what is not there is `None`.
    """

    def __init__(self, db: Database, blobs: Blobs) -> None:
        self._db = db
        self.meta = Meta(db)
        self.users = Users(db)
        self.catalog = Catalog(db)
        self.jobs = Jobs(db)
        self.train_jobs = TrainJobs(db)
        self.inference_jobs = InferenceJobs(db)
        self.trials = Trials(db)
        self.slots = Slots(db)
        self.blobs = blobs

    @staticmethod
    def open(settings: Settings) -> Store:
        """The store in the settings' data folder, made or migrated if need be."""
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Store(Database(settings.database_path), Blobs(settings.blobs_dir))

    def close(self) -> None:
        self._db.close()

    def sweep_blobs(self, min_age_s: float = 3600.0) -> int:
        """Delete the blobs that no row refers to: of deleted models, forgotten parameters, uploads that were refused.

        Those put within `min_age_s` stay, for a blob is there before its row. Safe at any time, also while runners
        put blobs. Returns how many were deleted.
        """
        old = set(self.blobs.older_than(min_age_s))
        with self._db.read() as c:
            unused = old - referenced(c)
        return len(self.delete_unused_blobs(unused, min_age_s))

    def delete_unused_blobs(self, hashes: Collection[str], min_age_s: float = UNUSED_BLOB_AGE_S) -> set[str]:
        """Delete those of the blobs that no row refers to any more. Returns the hashes of blobs that are gone.

        Those put within `min_age_s` stay: somebody may have put the same bytes again, and is about to make their row.
        """
        gone: set[str] = set()
        waiting = sorted(hashes)
        for batch in (waiting[start : start + _BATCH] for start in range(0, len(waiting), _BATCH)):
            with self._db.write(durable=False) as c:  # no row can come to refer to them meanwhile
                unused = set(batch) - referenced_of(c, batch)
                gone |= {content_hash for content_hash in unused if self.blobs.delete_if_older(content_hash, min_age_s)}
        return gone

    def usage(self, user_id: str) -> Usage:
        """What a user's datasets, models and trials take of the disk."""
        with self._db.read() as c:
            return usage_of(c, self.blobs, user_id)
