"""The ensemble's score on what was held out: over as many items as time allows, in small batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from rafiki.errors import ServiceUnavailableError
from rafiki.executor import Sample
from rafiki.predictor import Answer
from rafiki.runner.holdout import MAX_BATCH, Scored, score_sample
from rafiki.tasks import get_task

TASK = get_task("IMAGE_CLASSIFICATION")
SAMPLE = Sample(queries=list(range(100)), labels=[i % 2 for i in range(100)])


async def always_one(queries: Sequence[Any]) -> Answer:
    return Answer([[0.1, 0.9] for _ in queries], (0,))


async def test_all_items_are_asked_for_in_growing_batches() -> None:
    sizes = []

    async def predict(queries: Sequence[Any]) -> Answer:
        sizes.append(len(queries))
        return await always_one(queries)

    assert await score_sample(TASK, SAMPLE, predict) == Scored(0.5, 100)
    assert sizes[0] == 1
    assert max(sizes) <= MAX_BATCH
    assert sum(sizes) == 100


async def test_where_time_is_over_the_score_is_over_fewer_items() -> None:
    async def slow(queries: Sequence[Any]) -> Answer:
        await asyncio.sleep(0.02)
        return await always_one(queries)

    scored = await score_sample(TASK, SAMPLE, slow, time_limit_s=0.1)
    assert scored is not None
    assert 0 < scored.n_items < 100


async def test_nobody_there_is_no_score() -> None:
    async def nobody(queries: Sequence[Any]) -> Answer:
        raise ServiceUnavailableError("no member can answer")

    assert await score_sample(TASK, SAMPLE, nobody, time_limit_s=0.01) is None


async def test_predictions_that_make_no_sense_are_no_score() -> None:
    async def nonsense(queries: Sequence[Any]) -> Answer:
        return Answer(["cat" for _ in queries], (0,))

    assert await score_sample(TASK, SAMPLE, nonsense) is None
