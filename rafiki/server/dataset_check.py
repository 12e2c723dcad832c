"""Checks of uploaded datasets, in the background: every item is decoded, by a checker, and counted.

What it finds ends as the dataset's row: `READY` with statistics, or `INVALID` with what was expected where.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from rafiki.constants import DatasetStatus
from rafiki.entities import Dataset, Failure, FailureCode
from rafiki.executor import CheckedDataset, Checker, CheckFailed
from rafiki.settings import Settings
from rafiki.store import Store
from rafiki.tasks import CustomTask, get_task

logger = logging.getLogger("rafiki.supervisor")


class DatasetChecks:
    """Takes up every dataset that is `CHECKING`. `on_checked` is called after each that no longer is."""

    def __init__(self, settings: Settings, store: Store, on_checked: Callable[[], None]) -> None:
        self._store = store
        self._on_checked = on_checked
        self._checker = Checker(settings)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def take_up(self) -> None:
        """Start the check of every dataset that needs one and has none yet."""
        for dataset in await asyncio.to_thread(self._store.catalog.datasets_in_status, DatasetStatus.CHECKING):
            if dataset.id not in self._tasks:
                checking = asyncio.create_task(self._check(dataset), name=f"check of dataset {dataset.id}")
                self._tasks[dataset.id] = checking

    async def settled(self) -> None:
        """Wait until none that was taken up is under check."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def close(self) -> None:
        """Give up the checks under way; the next start takes them up again."""
        for task in self._tasks.values():
            task.cancel()
        await self.settled()

    async def _check(self, dataset: Dataset) -> None:
        catalog = self._store.catalog
        try:
            found = await self._find(dataset)
            if isinstance(found, Failure):
                await asyncio.to_thread(catalog.set_dataset_invalid, dataset.id, found)
            else:
                await asyncio.to_thread(catalog.set_dataset_ready, dataset.id, found.stats, found.warnings)
        except Exception:  # a fault of ours must not leave the dataset CHECKING for ever
            logger.exception("the check of dataset %s failed", dataset.id)
            failure = Failure(FailureCode.INTERNAL, "The platform could not check this dataset.", "Upload it again.")
            await asyncio.to_thread(catalog.set_dataset_invalid, dataset.id, failure)
        finally:
            self._tasks.pop(dataset.id, None)
        self._on_checked()

    async def _find(self, dataset: Dataset) -> CheckedDataset | Failure:
        if isinstance(get_task(dataset.task), CustomTask):
            return CheckedDataset({}, [])
        try:
            checked = await self._checker.check_whole(dataset.task, self._store.blobs.path(dataset.blob_hash))
        except CheckFailed as error:
            return error.failure
        return checked
