"""The ensemble's honest score: on the part of the app's one dataset that no trial has seen."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rafiki.entities import InferenceJob, TrainJob
from rafiki.errors import InvalidPredictionError, ServiceUnavailableError
from rafiki.executor import Checker, CheckFailed, Sample
from rafiki.predictor import Answer
from rafiki.runner.context import RunnerContext
from rafiki.tasks import Task, get_task

logger = logging.getLogger("rafiki.runner")

HOLDOUT = "holdout"
MAX_ITEMS = 500
MAX_BYTES = 64 * 2**20
TIME_LIMIT_S = 120.0
#: What a query of somebody's may have to wait for: so long one batch takes, and the members have rest after it.
BATCH_S = 0.05
MAX_BATCH = 32
REST = 3.0  # times the time that the batch took

Predict = Callable[[Sequence[Any]], Awaitable[Answer]]


async def score_on_holdout(context: RunnerContext, job: InferenceJob, predict: Predict) -> None:
    """Score the ensemble and keep the score with the job, where it has none and there is a part held out."""
    train_job = await context.db(context.store.train_jobs.get, job.train_job_id)
    if train_job is None or job.score is not None or not train_job.split or HOLDOUT not in train_job.split:
        return
    try:
        sample = await _sample(context, train_job)
    except CheckFailed as error:
        logger.warning("job %s is not scored: %s", job.id, error.failure.message)
        return
    scored = await score_sample(get_task(train_job.task), sample, predict)
    if scored is None:
        logger.warning("job %s is not scored: its predictions allow none", job.id)
        return
    set_score = context.store.inference_jobs.set_score
    await context.db(set_score, job.id, context.epoch, scored.score, HOLDOUT, scored.n_items)
    logger.info("job %s scores %.4f on %d items held out", job.id, scored.score, scored.n_items)


async def _sample(context: RunnerContext, train_job: TrainJob) -> Sample:
    assert train_job.split is not None
    path = {part: context.store.blobs.path(of_part.blob_hash) for part, of_part in train_job.split.items()}
    return await Checker(context.settings).sample(
        train_job.task,
        path[HOLDOUT],
        others=[path["train"], path["val"]],
        train_args=train_job.train_args,
        folder=context.settings.scratch_dir / context.job_id / HOLDOUT,
        seed=train_job.seed,
        max_items=MAX_ITEMS,
        max_bytes=MAX_BYTES,
    )


@dataclass(frozen=True)
class Scored:
    score: float
    n_items: int


async def score_sample(
    task: Task, sample: Sample, predict: Predict, time_limit_s: float = TIME_LIMIT_S
) -> Scored | None:
    """The score over as many items as can be asked for in the time, in small batches with rests between them."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + time_limit_s
    predictions: list[Any] = []
    n_next = 1
    while len(predictions) < len(sample.queries) and loop.time() < deadline:
        started_at = loop.time()
        queries = sample.queries[len(predictions) : len(predictions) + n_next]
        try:
            answer = await predict(queries)
        except ServiceUnavailableError as error:  # too much to do just now, or nobody there
            logger.info("scoring waits: %s", error.message)
            await asyncio.sleep(1.0)
            continue
        predictions += answer.predictions
        took_s = loop.time() - started_at
        n_next = max(1, min(MAX_BATCH, 2 * n_next, int(BATCH_S * len(queries) / max(took_s, 1e-6))))
        await asyncio.sleep(REST * took_s)
    return _score(task, predictions, sample.labels[: len(predictions)])


def _score(task: Task, predictions: list[Any], labels: list[Any]) -> Scored | None:
    try:
        score = task.score(predictions, labels)
    except (InvalidPredictionError, ValueError) as error:
        logger.warning("predictions that cannot be scored: %s", error)
        return None
    return Scored(float(score), len(predictions)) if math.isfinite(score) else None
