"""Datasets, their checks, and what a job's dataset is split into; versions of models; tokens for scripts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rafiki.entities import DatasetPart
from rafiki.errors import (
    DatasetUsedError,
    DuplicateModelNameError,
    FencedError,
    InvalidDatasetError,
    InvalidModelError,
    ModelUsedError,
)
from rafiki.store import Store
from rafiki.store.database import now
from tests.contracts.store_world import FAILURE, World

SPLIT = {
    "train": DatasetPart("aa" * 32, 7),
    "val": DatasetPart("bb" * 32, 2),
    "holdout": DatasetPart("cc" * 32, 1),
}


def test_a_dataset_is_checked_once(store: Store, world: World) -> None:
    good, bad = world.add_dataset(labels=["cat", "dog"]), world.add_dataset()
    assert (good.status, good.labels, good.stats) == ("CHECKING", ["cat", "dog"], None)
    assert store.catalog.datasets_in_status("CHECKING") == [world.dataset, good, bad]
    assert store.catalog.set_dataset_ready(good.id, {"n_items": 2}, ["odd"])
    assert store.catalog.set_dataset_invalid(bad.id, FAILURE)
    assert not store.catalog.set_dataset_invalid(good.id, FAILURE)
    assert not store.catalog.set_dataset_ready(bad.id, {})
    checked = store.catalog.get_dataset(good.id)
    assert checked is not None
    assert (checked.status, checked.stats, checked.warnings) == ("READY", {"n_items": 2}, ["odd"])
    refused = store.catalog.get_dataset(bad.id)
    assert refused is not None
    assert (refused.status, refused.error) == ("INVALID", FAILURE)


def test_a_dataset_that_a_job_uses_is_not_deleted(store: Store, world: World) -> None:
    val = world.add_dataset()
    world.add_train_job("x", val_dataset_id=val.id)
    for dataset in (world.dataset, val):
        with pytest.raises(DatasetUsedError, match=r"train job 'x' \(version 1\)$"):
            store.catalog.delete_dataset(dataset.id)
    unused = world.add_dataset()
    assert store.catalog.delete_dataset(unused.id)
    assert not store.catalog.delete_dataset(unused.id)
    assert store.catalog.get_dataset(unused.id) is None
    assert not store.catalog.set_dataset_ready(unused.id, {})
    with pytest.raises(InvalidDatasetError, match=unused.id):
        world.add_train_job(val_dataset_id=unused.id)


def test_a_job_of_one_dataset_keeps_what_it_was_split_into(store: Store, world: World) -> None:
    job = world.add_train_job(val_dataset_id=None)
    assert (job.val_dataset_id, job.split) == (None, None)
    store.jobs.claim(job.id)
    store.train_jobs.set_split(job.id, 1, {**SPLIT, "val": SPLIT["train"]})
    store.train_jobs.set_split(job.id, 1, SPLIT)
    found = store.train_jobs.get(job.id)
    assert found is not None
    assert found.split == SPLIT
    assert [listed.split for listed in store.train_jobs.list_of_user(world.user.id)] == [SPLIT]
    store.train_jobs.stop(job.id)
    with pytest.raises(FencedError):
        store.train_jobs.set_split(job.id, 1, SPLIT)


def test_jobs_and_deployments_know_the_labels_of_their_data(store: Store, world: World) -> None:
    world.dataset = world.add_dataset(labels=["a", "b"])
    job = world.add_running_job()
    assert job.labels == ["a", "b"]
    store.train_jobs.finish(job.id, 1, "STOPPED")
    deployed = world.deploy(job)
    assert (deployed.labels, deployed.score) == (["a", "b"], None)
    named = store.catalog.set_dataset_labels(world.dataset.id, ["x", "y"])
    assert named is not None and named.labels == ["x", "y"]
    again = store.inference_jobs.get(deployed.id)
    assert again is not None and again.labels == ["x", "y"]
    named = store.catalog.set_dataset_labels(world.dataset.id, None)
    assert named is not None and named.labels is None
    assert store.catalog.set_dataset_labels("nothing", ["a"]) is None


def test_the_score_of_an_ensemble(store: Store, world: World) -> None:
    job = world.add_running_job()
    store.train_jobs.finish(job.id, 1, "STOPPED")
    deployed = world.deploy(job)
    store.jobs.claim(deployed.id)
    store.inference_jobs.set_score(deployed.id, 1, 0.75, "holdout", 40)
    found = store.inference_jobs.get(deployed.id)
    assert found is not None
    assert (found.score, found.score_on, found.n_scored) == (0.75, "holdout", 40)
    store.inference_jobs.stop(deployed.id)
    with pytest.raises(FencedError):
        store.inference_jobs.set_score(deployed.id, 1, 0.8, "holdout", 40)


def test_versions_of_a_model(store: Store, world: World) -> None:
    first = world.add_model(name="m")
    assert first.version == 1
    with pytest.raises(DuplicateModelNameError, match="'m'"):
        world.add_model(name="m")
    second = world.add_model(name="m", new_version=True)
    assert (second.version, second.name) == (2, "m")
    assert world.add_model(name="other", new_version=True).version == 1
    assert world.add_model(name="m", user_id=world.add_user().id).version == 1
    with pytest.raises(InvalidModelError, match="'T'"):
        world.add_model(name="m", task="U", new_version=True)
    assert [model.version for model in store.catalog.list_models(world.user.id) if model.name == "m"] == [1, 2]


def test_the_latest_version_that_one_may_use_is_available(store: Store, world: World) -> None:
    other = world.add_user()
    versions = [
        world.add_model(name="m", new_version=True, access_right=access_right)
        for access_right in ("PUBLIC", "PUBLIC", "PRIVATE", "PRIVATE")
    ]
    store.catalog.set_model_invalid(versions[3].id, FAILURE)

    def version_for(user_id: str) -> list[int]:
        return [model.version for model in store.catalog.list_available_models(user_id) if model.name == "m"]

    assert version_for(world.user.id) == [3]
    assert version_for(other.id) == [2]


def test_a_model_that_jobs_use_is_not_deleted(store: Store, world: World) -> None:
    for app in ("b", "a"):
        world.add_train_job(app)
    world.add_train_job("not to be named", user=world.add_user())
    with pytest.raises(ModelUsedError) as error:
        store.catalog.delete_model(world.model.id)
    assert "'a' (version 1), 'b' (version 1) and 1 more of other users" in error.value.message


def test_tokens_for_scripts(store: Store, world: World) -> None:
    user_id, later = world.user.id, now() + timedelta(days=1)
    store.users.add_token(user_id, "sign-in", later)
    token_id = store.users.add_token(user_id, "h1", None, "nightly")
    store.users.add_token(user_id, "h2", later, "laptop")
    assert [(token.name, token.expires_at) for token in store.users.list_tokens(user_id)] == [
        ("nightly", None),
        ("laptop", later),
    ]
    assert store.users.revoke_token(world.add_user().id, token_id) is None
    assert store.users.user_of_token("h1", now()) is not None
    revoked = store.users.revoke_token(user_id, token_id)
    assert revoked is not None
    assert revoked.name == "nightly"
    assert store.users.user_of_token("h1", now()) is None
    assert store.users.revoke_token(user_id, token_id) is None
    assert [token.name for token in store.users.list_tokens(user_id)] == ["laptop"]
