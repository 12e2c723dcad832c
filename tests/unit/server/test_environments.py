"""The environments that admins see and remove. They are folders that look as if they had been built."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rafiki.environment import EnvironmentFolder
from rafiki.environment.lock import Basis, Lock
from rafiki.settings import Settings
from rafiki.store import Store
from tests.unit.server.api import Api, World, ok, refused


def make(settings: Settings, name: str, last_used: float) -> Lock:
    """An environment with one package, of 1,000 bytes, half of them in a file that it shares."""
    folder = EnvironmentFolder(settings.environments_dir)
    lock = Lock(Basis("3.11.7"), f"{name}==1.0 \\\n    --hash=sha256:00\n")
    with folder.staging("any") as staging:
        (staging / "bin").mkdir()
        (staging / "bin/python").symlink_to(sys.executable)
        (staging / "own").write_bytes(b"o" * 500)
        (staging / "shared").write_bytes(b"s" * 500)
        shared = settings.environments_dir / f"{name}-cached"
        os.link(staging / "shared", shared)
        folder.adopt(staging, lock)
    shared.rename(settings.data_dir / f"{name}-cached")
    os.utime(folder.prefix(lock.address) / "rafiki.used", (last_used, last_used))
    return lock


@pytest.fixture
def alpha(settings: Settings, store: Store) -> Lock:
    return make(settings, "alpha", 1e9)


@pytest.fixture
def beta(settings: Settings, store: Store) -> Lock:
    return make(settings, "beta", 2e9)


async def test_they_are_listed_with_size_and_last_use(
    admin: Api, developer: Api, world: World, store: Store, alpha: Lock, beta: Lock
) -> None:
    store.catalog.set_model_environment(world.model(developer).id, alpha.address, alpha.text)
    first, second = await ok(admin.get("/environments"))
    assert [first["id"], second["id"]] == [beta.address, alpha.address]
    assert second["packages"] == {"alpha": "1.0"}
    assert (second["python"], second["is_gpu"]) == ("3.11.7", False)
    assert (second["n_models"], first["n_models"]) == (1, 0)
    assert 1000 < second["size_bytes"] < 2000
    assert second["size_bytes"] - second["own_bytes"] == 500
    assert second["datetime_last_used"].startswith("2001-09-09T")


async def test_what_nothing_uses_is_removed(admin: Api, settings: Settings, alpha: Lock, beta: Lock) -> None:
    await ok(admin.delete(f"/environments/{alpha.address}"))
    assert [one["id"] for one in await ok(admin.get("/environments"))] == [beta.address]
    assert not (settings.environments_dir / alpha.address).exists()
    await refused(admin.delete(f"/environments/{alpha.address}"), 404, "NotFoundError")
    for name in (".requests", "..", ".locks"):
        assert (await admin.delete(f"/environments/{name}")).status_code in (404, 405)


async def test_what_a_job_or_a_check_uses_is_not(
    admin: Api, developer: Api, world: World, store: Store, alpha: Lock, beta: Lock
) -> None:
    checking, used = world.model(developer, "checking"), world.model(developer, "used")
    store.catalog.set_model_environment(checking.id, alpha.address, alpha.text)
    store.catalog.set_model_environment(used.id, beta.address, beta.text)
    store.catalog.set_model_ready(used.id, "{}")
    job = world.train_job(developer, model=used)
    assert store.catalog.environments_of_job(job.id) == [beta.address]
    for lock in (alpha, beta):
        assert "is used" in await refused(admin.delete(f"/environments/{lock.address}"), 409, "EnvironmentUsedError")
    assert {one["is_in_use"] for one in await ok(admin.get("/environments"))} == {True}
    store.catalog.set_model_ready(checking.id, "{}")
    assert store.train_jobs.stop(job.id)
    for lock in (alpha, beta):
        await ok(admin.delete(f"/environments/{lock.address}"))


async def test_a_model_tells_its_progress(developer: Api, world: World, store: Store) -> None:
    model = world.model(developer)
    store.catalog.set_model_progress(model.id, "installing 12 packages")
    shown = await ok(developer.get(f"/models/{model.id}"))
    assert (shown["status"], shown["progress"], shown["environment"]) == ("CHECKING", "installing 12 packages", None)
    store.catalog.set_model_environment(model.id, "address", "lock")
    store.catalog.set_model_ready(model.id, "{}")
    store.catalog.set_model_progress(model.id, "too late")
    shown = await ok(developer.get(f"/models/{model.id}"))
    assert (shown["status"], shown["progress"], shown["environment"]) == ("READY", None, "address")


def test_models_of_other_jobs_do_not_count(developer: Api, world: World, store: Store, tmp_path: Path) -> None:
    model = world.model(developer)
    store.catalog.set_model_environment(model.id, "address", "lock")
    assert store.catalog.lock_of_environment("address") == "lock"
    assert store.catalog.lock_of_environment("other") is None
    assert store.catalog.environments_of_job("nobody's") == []
