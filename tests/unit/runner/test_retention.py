"""Whose parameters a running train job keeps, and when the bytes of the others go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rafiki.advisor import Proposal, make_advisor
from rafiki.model import FloatKnob
from rafiki.runner.context import RunnerContext
from rafiki.runner.model_tuning import ModelTuning
from rafiki.runner.retention import DELETE_INTERVAL_S, ParamsRetention
from rafiki.settings import Settings
from rafiki.store import Store
from tests.contracts.store_world import World

EPOCH = 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(data_dir=tmp_path / "data"))
    yield opened
    opened.close()


async def test_worse_parameters_are_forgotten_then_their_bytes_deleted(store: Store) -> None:
    world = World(store)
    job = world.add_running_job()

    async def db(function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    settings = Settings(keep_params_of_best=2)
    context = cast(RunnerContext, SimpleNamespace(store=store, settings=settings, job_id=job.id, epoch=EPOCH, db=db))
    now = 100.0
    retention = ParamsRetention(context, now=lambda: now)
    tuning = ModelTuning(world.model, make_advisor({"x": FloatKnob(0, 1)}, {"MODEL_TRIAL_COUNT": 9}), max_failures=3)
    hashes: list[str] = []

    async def end_trial(no: int, score: float) -> None:
        content_hash = store.blobs.put_bytes(f"params {no}".encode())
        long_ago = time.time() - 1000.0
        os.utime(store.blobs.path(content_hash), (long_ago, long_ago))
        trial = world.add_trial(job, no)
        store.trials.finish(trial.id, EPOCH, score, content_hash)
        tuning.completed(trial, Proposal(no, {"x": 0.1}), score, content_hash, 1.0)
        hashes.append(content_hash)
        await retention.apply(tuning)

    for no, score in enumerate([0.9, 0.5, 0.8, 0.7], start=1):
        await end_trial(no, score)
    saved = {trial.no for trial in store.trials.list(job.id) if trial.is_params_saved}
    assert saved == {1, 3, 4}
    assert store.blobs.exists(hashes[1])  # not yet: that it is forgotten must be on the disk first
    now += DELETE_INTERVAL_S + 1
    await end_trial(5, 0.1)
    assert [store.blobs.exists(content_hash) for content_hash in hashes] == [True, False, True, True, True]
    now += DELETE_INTERVAL_S + 1
    await end_trial(6, 0.2)
    assert [store.blobs.exists(content_hash) for content_hash in hashes] == [True, False, True, False, True, True]
