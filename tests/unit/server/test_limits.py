"""Limits of one train job's trials: who may set them, what they can be, where they are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rafiki.server import limits as server_limits
from rafiki.store import Store
from tests.unit.server.api import Api, World, ok, refused

GIB = 2**30


def body_of(api: Api, developer: Api, world: World) -> dict[str, Any]:
    dataset_id = world.dataset(api).id
    model = world.model(developer, f"of {api.user.email}", access_right="PUBLIC")
    ids = {"train_dataset_id": dataset_id, "val_dataset_id": dataset_id, "model_ids": [model.id]}
    return {"app": "app", "task": "T", **ids}


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 8 GiB."""
    monkeypatch.setattr(server_limits, "usable_memory_bytes", lambda: 8 * GIB)


@pytest.mark.parametrize("user_type", ["ADMIN", "SUPERADMIN"])
async def test_admins_set_limits_which_are_shown(
    sign_in: Callable[..., Api], developer: Api, world: World, store: Store, user_type: str
) -> None:
    api = sign_in(user_type)
    body = body_of(api, developer, world)
    for given, kept in (
        ({"trial_time_s": 600, "memory_bytes": 4 * GIB}, {"trial_time_s": 600.0, "memory_bytes": 4 * GIB}),
        ({"trial_time_s": 0.5}, {"trial_time_s": 0.5}),
        ({"memory_bytes": 8.0 * GIB}, {"memory_bytes": 8 * GIB}),
        ({}, None),
        (None, None),
    ):
        created = await ok(api.post("/train_jobs", json=body | {"limits": given}))
        assert (await ok(api.get("/train_jobs/app/-1")))["limits"] == kept
        job = store.train_jobs.get(created["id"])
        assert job is not None and job.limits == kept
        store.train_jobs.stop(created["id"])
    form = {key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()}
    await ok(api.post("/train_jobs", data=form | {"limits": '{"trial_time_s": 5}'}))
    assert (await ok(api.get("/train_jobs/app")))[0]["limits"] == {"trial_time_s": 5.0}


async def test_nobody_else_may(developer: Api, app_developer: Api, world: World) -> None:
    for api in (developer, app_developer):
        body = body_of(api, developer, world)
        for limits in ({"trial_time_s": 1}, {"memory_bytes": 4 * GIB}, {"speed": 1}, "fast"):
            message = await refused(api.post("/train_jobs", json=body | {"limits": limits}), 403, "UnauthorizedError")
            assert "only admins may set the limits" in message and "ask an admin" in message
        assert await ok(api.get("/train_jobs")) == []
        await ok(api.post("/train_jobs", json=body | {"limits": {}}))
        assert (await ok(api.get("/train_jobs/app/-1")))["limits"] is None


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        *(({"trial_time_s": value}, "trial_time_s of the limits is") for value in (0, -1, "600", True, None, 1e10, [])),
        *(
            ({"memory_bytes": value}, "memory_bytes of the limits is")
            for value in (0, -1, "4G", True, None, 0.5, 1e308)
        ),
        ({"memory_bytes": 4096}, "from 67108864 (64 MiB)"),
        ({"memory_bytes": 8 * GIB + 1}, f"is {8 * GIB + 1}, and this machine has {8 * GIB} bytes of memory"),
        ({"trial_time_s": 600, "cpu": 1}, "no 'cpu' they are trial_time_s, memory_bytes"),
        ([], "expected an object"),
        ("fast", "expected an object"),
        (600, "expected an object"),
    ],
)
async def test_what_they_cannot_be(admin: Api, developer: Api, world: World, limits: Any, sentence: str) -> None:
    body = body_of(admin, developer, world)
    message = await refused(admin.post("/train_jobs", json=body | {"limits": limits}), 400, "InvalidTrainJobError")
    assert sentence in message
    assert await ok(admin.get("/train_jobs")) == []
