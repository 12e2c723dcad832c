"""What is kept and what is deleted: parameters, jobs, blobs; and how much room a user takes."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from rafiki.entities import DatasetPart, TrainJob, Trial
from rafiki.errors import FencedError, TrainJobUsedError
from rafiki.store import Store
from tests.contracts.store_world import World

NO_LONGER_NEW_S = 3600.0


def put_long_ago(store: Store, data: bytes) -> str:
    content_hash = store.blobs.put_bytes(data)
    then = time.time() - NO_LONGER_NEW_S
    os.utime(store.blobs.path(content_hash), (then, then))
    return content_hash


def add_saved(store: Store, world: World, job: TrainJob, no: int, score: float | None, **values: Any) -> Trial:
    trial = world.add_trial(job, no, **values)
    store.trials.finish(trial.id, 1, score, put_long_ago(store, f"params of {job.id} {no}".encode()))
    found = store.trials.get(trial.id)
    assert found is not None
    return found


def saved_nos(store: Store, job: TrainJob) -> list[int]:
    return sorted(trial.no for trial in store.trials.list(job.id) if trial.is_params_saved)


# Retention --------------------------------------------------------------------------------------------------------


def test_the_best_and_the_latest_parameters_are_kept(store: Store, world: World) -> None:
    job = world.add_running_job()
    trials = [add_saved(store, world, job, no, score) for no, score in enumerate([0.5, 0.9, 0.7, None, 0.6], start=1)]
    forgotten = store.trials.forget_worse_params(job.id, 1, world.model.id, 2, needed=())
    assert forgotten == {trials[0].id: trials[0].params_hash, trials[3].id: trials[3].params_hash}
    assert saved_nos(store, job) == [2, 3, 5]
    assert [trial.no for trial in store.trials.best(job.id)] == [2, 3, 5]
    assert store.trials.forget_worse_params(job.id, 1, world.model.id, 2, needed=()) == {}
    kept = store.trials.get(trials[0].id)
    assert kept is not None
    assert (kept.status, kept.score, kept.params_hash) == ("COMPLETED", 0.5, None)


def test_parameters_that_are_needed_are_kept(store: Store, world: World) -> None:
    job = world.add_running_job()
    trials = [add_saved(store, world, job, no, no / 10) for no in (1, 2, 3, 4, 5)]
    world.add_trial(job, 6, parent_trial_id=trials[0].id)  # runs, and has yet to read them
    forgotten = store.trials.forget_worse_params(job.id, 1, world.model.id, 1, needed={trials[1].id})
    assert set(forgotten) == {trials[2].id, trials[3].id}


def test_each_model_has_its_own_best(store: Store, world: World) -> None:
    other = world.add_model()
    job = world.add_train_job(model_ids=[world.model.id, other.id])
    store.jobs.claim(job.id)
    for no in (1, 2, 3):
        add_saved(store, world, job, no, 0.9 - no / 10)
        add_saved(store, world, job, no, 0.1, model_id=other.id)
    assert len(store.trials.forget_worse_params(job.id, 1, world.model.id, 1, needed=())) == 1
    assert len([trial for trial in store.trials.of_model(job.id, other.id) if trial.is_params_saved]) == 3


def test_a_job_that_ended_forgets_nothing(store: Store, world: World) -> None:
    job = world.add_running_job()
    for no in (1, 2, 3):
        add_saved(store, world, job, no, no / 10)
    store.train_jobs.stop(job.id)
    with pytest.raises(FencedError):
        store.trials.forget_worse_params(job.id, 1, world.model.id, 1, needed=())
    world.deploy(job)
    assert store.trials.forget_worse_params(job.id, 2, world.model.id, 1, needed=()) == {}
    assert saved_nos(store, job) == [1, 2, 3]


# Blobs that nothing refers to -------------------------------------------------------------------------------------


def test_only_what_nothing_refers_to_is_swept(store: Store, world: World) -> None:
    job = world.add_running_job()
    saved = add_saved(store, world, job, 1, 0.5).params_hash
    parts = [put_long_ago(store, part) for part in (b"train", b"val", b"holdout")]
    split = {name: DatasetPart(part, 1) for name, part in zip(("train", "val", "holdout"), parts, strict=True)}
    store.train_jobs.set_split(job.id, 1, split)
    dataset = world.add_dataset(blob_hash=put_long_ago(store, b"dataset")).blob_hash
    source = world.add_model(source_hash=put_long_ago(store, b"source")).source_hash
    unused, fresh = put_long_ago(store, b"unused"), store.blobs.put_bytes(b"fresh")
    assert store.sweep_blobs(60.0) == 1
    assert not store.blobs.exists(unused)
    assert all(store.blobs.exists(kept) for kept in (saved, *parts, dataset, source, fresh) if kept)


def test_bytes_that_are_put_again_while_a_sweep_looks_are_not_lost(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused = put_long_ago(store, b"unused")
    older_than = store.blobs.older_than

    def put_meanwhile(age_s: float) -> Any:
        found = list(older_than(age_s))
        store.blobs.put_bytes(b"unused")
        return iter(found)

    monkeypatch.setattr(store.blobs, "older_than", put_meanwhile)
    assert store.sweep_blobs(60.0) == 0
    assert store.blobs.exists(unused)


def test_what_else_refers_to_the_same_bytes_keeps_them(store: Store, world: World) -> None:
    shared = put_long_ago(store, b"same bytes")
    one, other = (world.add_dataset(blob_hash=shared) for _ in range(2))
    store.catalog.delete_dataset(one.id)
    assert store.delete_unused_blobs([shared]) == set()
    store.catalog.delete_dataset(other.id)
    assert store.delete_unused_blobs([shared, "ee" * 32]) == {shared, "ee" * 32}
    assert not store.blobs.exists(shared)


# Deleting jobs ----------------------------------------------------------------------------------------------------


def test_a_job_goes_with_all_that_is_its_own(store: Store, world: World) -> None:
    job, other = world.add_running_job("app"), world.add_running_job("other")
    first = add_saved(store, world, job, 1, 0.5)
    add_saved(store, world, job, 2, 0.6, parent_trial_id=first.id)
    store.trials.append_log(first.id, ["{}"])
    kept = add_saved(store, world, other, 1, 0.5)
    store.slots.set_inventory(1, ())
    assert store.slots.acquire(job.id, 1, "core") is not None
    assert store.slots.acquire(other.id, 1, "core") is None
    with pytest.raises(TrainJobUsedError, match="is RUNNING"):
        store.train_jobs.delete(job.id)
    store.train_jobs.stop(job.id)
    deployed = world.deploy(job)
    with pytest.raises(TrainJobUsedError, match=f"is deployed, at {deployed.predictor_host}"):
        store.train_jobs.delete(job.id)
    store.inference_jobs.stop(deployed.id)

    hashes = store.train_jobs.delete(job.id)
    assert hashes is not None
    assert len(hashes) == 2
    assert store.delete_unused_blobs(hashes) == set(hashes)
    assert store.train_jobs.delete(job.id) is None
    assert (store.train_jobs.get(job.id), store.inference_jobs.get(deployed.id)) == (None, None)
    assert (store.trials.get(first.id), store.trials.read_log_lines(first.id)) == (None, [])
    assert [slot.job_id for slot in store.slots.list()] == [None]
    assert store.trials.list(other.id) == [kept]


def test_a_deleted_version_is_not_given_out_again(store: Store, world: World) -> None:
    for version in (1, 2):
        job = world.add_train_job("app")
        assert job.app_version == version
        store.train_jobs.stop(job.id)
    store.train_jobs.delete(job.id)
    assert world.add_train_job("app").app_version == 3
    assert world.add_train_job("app", user=world.add_user()).app_version == 1


# Room -------------------------------------------------------------------------------------------------------------


def test_what_a_user_takes_of_the_disk(store: Store, world: World) -> None:
    empty = store.usage(world.add_user().id)
    assert empty.total_bytes == 0
    one_hash = store.blobs.put_bytes(b"x" * 100)
    for _ in range(2):  # the same bytes twice take their room once
        world.add_dataset(blob_hash=one_hash)
    world.add_model(source_hash=store.blobs.put_bytes(b"y" * 10))
    job = world.add_running_job()
    trial = add_saved(store, world, job, 1, 0.5)
    store.trials.append_log(trial.id, ["z" * 7])
    store.train_jobs.set_split(job.id, 1, {"train": DatasetPart(store.blobs.put_bytes(b"w" * 5), 1)})
    usage = store.usage(world.user.id)
    assert (usage.datasets_bytes, usage.models_bytes, usage.splits_bytes, usage.logs_bytes) == (100, 10, 5, 7)
    assert usage.params_bytes == store.blobs.size(trial.params_hash or "")
    assert usage.total_bytes == 122 + usage.params_bytes
