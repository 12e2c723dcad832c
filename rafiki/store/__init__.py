"""What the platform knows: rows in a database, bytes in blobs. The only part that knows SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, union

from rafiki.store.blobs import Blobs, BlobWriter
from rafiki.store.catalog import Catalog
from rafiki.store.database import Database
from rafiki.store.inference_jobs import InferenceJobs
from rafiki.store.jobs import Jobs
from rafiki.store.meta import Meta
from rafiki.store.schema import datasets, models
from rafiki.store.schema import trials as trial_rows  # the name of a submodule too
from rafiki.store.slots import Slots
from rafiki.store.train_jobs import TrainJobs
from rafiki.store.trials import FinishedTrial, Trials
from rafiki.store.users import Users

if TYPE_CHECKING:
    from rafiki.settings import Settings

__all__ = ["BlobWriter", "FinishedTrial", "Store"]


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

        Those put within `min_age_s` stay, for a blob is there before its row. Returns how many were deleted.
        """
        old = set(self.blobs.older_than(min_age_s))
        with self._db.read() as c:
            columns = (
                datasets.c.blob_hash,
                models.c.source_hash,
                trial_rows.c.params_hash,
                trial_rows.c.predictions_hash,
            )
            used = set(c.execute(union(*(select(column) for column in columns))).scalars())
        unused = old - used
        for content_hash in unused:
            self.blobs.delete(content_hash)
        return len(unused)
