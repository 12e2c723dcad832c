"""An app made from one upload: checked, split by the platform, trained, deployed, and scored on what was held out."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rafiki.entities import Dataset, Model, TrainJob
from rafiki.model import LoggerUtils
from tests.platform_parts import TEMPLATES, Parts, make_settings, running_parts

TASK = "TABULAR_CLASSIFICATION"
N_ROWS = 100
TABLE = "id,even\n" + "".join(f"{i},{int(i % 2 == 0)}\n" for i in range(N_ROWS))


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with running_parts(make_settings(tmp_path, keep_params_of_best=2)) as running:
        yield running


def add_dataset(parts: Parts, content: str = TABLE, task: str = TASK) -> Dataset:
    blob_hash = parts.store.blobs.put_bytes(content.encode())
    dataset = parts.store.catalog.create_dataset(parts.user.id, "data", task, blob_hash, len(content), ["odd", "even"])
    parts.supervisor.wake()
    return dataset


def add_model(parts: Parts) -> Model:
    return parts.add_model("Rows", (TEMPLATES / "Rows.py").read_bytes(), task=TASK)


def add_job(parts: Parts, dataset: Dataset, model: Model, n_trials: int = 1) -> TrainJob:
    budget = {"MODEL_TRIAL_COUNT": n_trials, "TIME_HOURS": 0.1, "WORKER_COUNT": 1}
    job = parts.store.train_jobs.create(parts.user.id, "app", TASK, dataset.id, None, budget, None, [model.id], seed=7)
    parts.supervisor.wake()
    return job


def ids_of(parts: Parts, job: TrainJob, part: str) -> list[str]:
    assert job.split is not None
    with parts.store.blobs.path(job.split[part].blob_hash).open(newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


async def test_no_trial_sees_what_is_held_out_and_the_ensemble_is_scored_on_it(parts: Parts) -> None:
    job = await parts.end_of(add_job(parts, add_dataset(parts), add_model(parts)))
    assert (job.status, job.error) == ("STOPPED", None)
    assert job.split is not None
    assert {part: of_part.n_items for part, of_part in job.split.items()} == {"train": 70, "val": 15, "holdout": 15}
    ids = {part: ids_of(parts, job, part) for part in ("train", "val", "holdout")}
    assert sorted(int(i) for of_part in ids.values() for i in of_part) == list(range(N_ROWS))

    [trial] = parts.store.trials.list(job.id)
    messages, _, _ = LoggerUtils.parse_logs(parts.store.trials.read_log_lines(trial.id))
    seen = {message["message"].split()[0]: message["message"].split()[1:] for message in messages}
    assert (seen["train"], seen["val"]) == (ids["train"], ids["val"])

    deployed = parts.add_inference_job(job)

    def scored() -> bool:
        found = parts.store.inference_jobs.get(deployed.id)
        return found is not None and found.score is not None

    await parts.until(scored)
    found = parts.store.inference_jobs.get(deployed.id)
    assert found is not None
    n_right = sum(int(i) < 50 for i in ids["holdout"])
    assert (found.score, found.score_on, found.n_scored) == (pytest.approx(n_right / 15), "holdout", 15)
    assert found.labels == ["odd", "even"]


async def test_a_runner_that_dies_splits_the_same_way_again_and_forgets_no_trial_twice(parts: Parts) -> None:
    dataset, model = add_dataset(parts), add_model(parts)
    job = add_job(parts, dataset, model, n_trials=8)
    first = await parts.until(lambda: (found := parts.store.train_jobs.get(job.id)) and found.split)
    process = parts.store.jobs.get_process(job.id)
    assert process is not None and process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    for part in first.values():
        parts.store.blobs.delete(part.blob_hash)  # as if the power had gone
    ended = await parts.end_of(job)
    assert (ended.status, ended.error, ended.split) == ("STOPPED", None, first)

    trials = [trial for trial in parts.store.trials.list(job.id) if trial.status == "COMPLETED"]
    saved = [trial.no for trial in trials if trial.is_params_saved]
    assert len(trials) == 8
    assert saved == [8, 2, 1]  # of equal scores the earlier ones, and the latest
    assert [trial.no for trial in parts.store.trials.best(job.id)] == [1, 2, 8]


@pytest.mark.parametrize(
    ("content", "message"),
    [("id,even\n1,0\n2,1\n", "cannot be split"), ("id,even\n1,0\n2\n", "cannot be used")],
)
async def test_data_that_cannot_be_used_ends_the_job_with_the_reason(parts: Parts, content: str, message: str) -> None:
    job = await parts.end_of(add_job(parts, add_dataset(parts, content), add_model(parts)))
    assert job.status == "ERRORED"
    assert job.error is not None
    assert job.error.code == "INVALID_DATASET"
    assert message in job.error.message
    assert parts.store.trials.list(job.id) == []
