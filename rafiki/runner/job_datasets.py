"""A train job's data, before its first trial: checked, and split where the job has but one dataset."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rafiki.constants import DatasetStatus, TrainJobStatus
from rafiki.entities import Dataset, DatasetPart, Failure, FailureCode, TrainJob
from rafiki.executor import Checker, CheckFailed
from rafiki.runner.context import RunnerContext

logger = logging.getLogger("rafiki.runner")

T = TypeVar("T")

#: How often to look for the end of a dataset's check without having been told.
FALLBACK_INTERVAL_S = 1.0


@dataclass(frozen=True)
class JobDatasets:
    """Where the job's data lies, as its trials read it. What it holds out, no trial is told of."""

    train_path: Path
    val_path: Path


class _Unusable(Exception):  # noqa: N818 (what became of the job, no fault of ours)
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def prepare_datasets(context: RunnerContext, job: TrainJob) -> JobDatasets | None:
    """Wait until the job's datasets are checked; split its one dataset if need be, and keep the parts with the job.

    A runner that comes after a crash finds the parts, or makes the same ones again. Ends the job `ERRORED` where the
    data cannot be used. None then, and where this runner is to stop.
    """
    try:
        return await _unless_stopping(context, _prepare(context, job))
    except _Unusable as error:
        status, failure = TrainJobStatus.ERRORED, error.failure
        await context.db(context.store.train_jobs.finish, job.id, context.epoch, status, failure)
        logger.info("job %s ends %s: %s", job.id, status, failure.message)
        return None


async def _unless_stopping(context: RunnerContext, work: Awaitable[T]) -> T | None:
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(context.stopping.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # its outcome, if any, has been seen
                await task


async def _prepare(context: RunnerContext, job: TrainJob) -> JobDatasets:
    store = context.store
    train = await _when_checked(context, job.train_dataset_id)
    if job.val_dataset_id is not None:
        val = await _when_checked(context, job.val_dataset_id)
        return JobDatasets(store.blobs.path(train.blob_hash), store.blobs.path(val.blob_hash))
    split = job.split
    if split is None or not all(store.blobs.exists(part.blob_hash) for part in split.values()):
        split = await _split(context, job, train)
    return JobDatasets(store.blobs.path(split["train"].blob_hash), store.blobs.path(split["val"].blob_hash))


async def _when_checked(context: RunnerContext, dataset_id: str) -> Dataset:
    changed = asyncio.Event()
    context.on_hint = lambda what: changed.set()
    while True:
        changed.clear()
        dataset = await context.db(context.store.catalog.get_dataset, dataset_id)
        assert dataset is not None, f"dataset {dataset_id} of job {context.job_id} is gone"
        if dataset.status == DatasetStatus.READY:
            return dataset
        if dataset.status == DatasetStatus.INVALID:
            reason = dataset.error or Failure(FailureCode.INTERNAL, "no reason was recorded")
            message = f"Dataset {dataset.name!r} cannot be used: {reason.message}"
            raise _Unusable(Failure(FailureCode.INVALID_DATASET, message, reason.hint))
        with suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), FALLBACK_INTERVAL_S)


async def _split(context: RunnerContext, job: TrainJob, dataset: Dataset) -> dict[str, DatasetPart]:
    """By the job's seed: the same parts whenever it is done."""
    folder = context.settings.scratch_dir / job.id / "split"
    path = context.store.blobs.path(dataset.blob_hash)
    try:
        files = await Checker(context.settings).split(dataset.task, path, folder, job.seed, job.train_args)
    except CheckFailed as error:
        message = f"Dataset {dataset.name!r} cannot be split: {error.failure.message}"
        raise _Unusable(Failure(error.failure.code, message, error.failure.hint)) from error
    split = {
        part: DatasetPart(await asyncio.to_thread(context.store.blobs.put_file, file.path), file.n_items)
        for part, file in files.items()
    }
    await context.db(context.store.train_jobs.set_split, job.id, context.epoch, split)
    sizes = ", ".join(f"{part} {of_part.n_items}" for part, of_part in split.items())
    logger.info("job %s: dataset %s is split: %s items", job.id, dataset.id, sizes)
    return split
