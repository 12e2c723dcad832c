"""Datasets: the rows. Their bytes are in the blobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, or_, update

from rafiki.constants import DatasetStatus
from rafiki.entities import Dataset, Failure
from rafiki.errors import DatasetUsedError
from rafiki.store.database import Database, new_id, now
from rafiki.store.rows import SELECT_DATASET, AnySelect, failure_to_json, to_dataset
from rafiki.store.schema import datasets, train_jobs
from rafiki.store.uses import name_train_jobs


class Datasets:
    """A part of the catalog. Lists are in order of creation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create_dataset(
        self,
        user_id: str,
        name: str,
        task: str,
        blob_hash: str,
        size_bytes: int,
        labels: Sequence[str] | None = None,
    ) -> Dataset:
        """A dataset that is `CHECKING`."""
        dataset = Dataset(
            id=new_id(),
            user_id=user_id,
            name=name,
            task=task,
            blob_hash=blob_hash,
            size_bytes=size_bytes,
            labels=None if labels is None else list(labels),
            status=DatasetStatus.CHECKING,
            error=None,
            warnings=[],
            stats=None,
            datetime_created=now(),
        )
        with self._db.write() as c:
            c.execute(insert(datasets).values(**vars(dataset)))
        return dataset

    def get_dataset(self, dataset_id: str) -> Dataset | None:
        with self._db.read() as c:
            row = c.execute(SELECT_DATASET.where(datasets.c.id == dataset_id)).first()
        return None if row is None else to_dataset(row)

    def list_datasets(self, user_id: str, task: str | None = None) -> list[Dataset]:
        query = SELECT_DATASET.where(datasets.c.user_id == user_id)
        return self._list_datasets(query if task is None else query.where(datasets.c.task == task))

    def datasets_in_status(self, status: str) -> list[Dataset]:
        return self._list_datasets(SELECT_DATASET.where(datasets.c.status == status))

    def set_dataset_ready(self, dataset_id: str, stats: dict[str, Any], warnings: Sequence[str] = ()) -> bool:
        """CHECKING -> READY. False: it was settled, or deleted, meanwhile."""
        return self._settle_dataset(dataset_id, DatasetStatus.READY, stats=stats, warnings=list(warnings))

    def set_dataset_invalid(self, dataset_id: str, failure: Failure) -> bool:
        """CHECKING -> INVALID. False: it was settled, or deleted, meanwhile."""
        return self._settle_dataset(dataset_id, DatasetStatus.INVALID, error=failure_to_json(failure))

    def set_dataset_labels(self, dataset_id: str, labels: Sequence[str] | None) -> Dataset | None:
        """The dataset with these names of its classes, which jobs on it show, too; None: there is none."""
        with self._db.write() as c:
            named = update(datasets).where(datasets.c.id == dataset_id)
            c.execute(named.values(labels=None if labels is None else list(labels)))
            row = c.execute(SELECT_DATASET.where(datasets.c.id == dataset_id)).first()
        return None if row is None else to_dataset(row)

    def delete_dataset(self, dataset_id: str) -> bool:
        """False: there is none. Raises `DatasetUsedError`, which names the train jobs that use it."""
        is_used = or_(train_jobs.c.train_dataset_id == dataset_id, train_jobs.c.val_dataset_id == dataset_id)
        with self._db.write() as c:
            uses = name_train_jobs(c, is_used)
            if uses:
                raise DatasetUsedError(f"the dataset is used by {uses}", hint="Delete those train jobs first.")
            return c.execute(delete(datasets).where(datasets.c.id == dataset_id)).rowcount == 1

    def _list_datasets(self, query: AnySelect) -> list[Dataset]:
        with self._db.read() as c:
            return [to_dataset(row) for row in c.execute(query.order_by(datasets.c.datetime_created, datasets.c.id))]

    def _settle_dataset(self, dataset_id: str, status: str, **values: Any) -> bool:
        settle = update(datasets).where(datasets.c.id == dataset_id, datasets.c.status == DatasetStatus.CHECKING)
        with self._db.write() as c:
            return c.execute(settle.values(status=status, **values)).rowcount == 1
