"""Inference jobs: what is taken, what is told, what stopping does."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from rafiki.settings import Settings
from rafiki.store import Store
from tests.unit.server.api import Api, NotedSupervision, World, ok, refused


async def test_the_life_of_an_inference_job(
    developer: Api, world: World, store: Store, supervision: NotedSupervision, settings: Settings
) -> None:
    body = {"app": "app", "app_version": -1, "budget": {"GPU_COUNT": 0}}
    await refused(developer.post("/inference_jobs", json=body), 404, "InvalidTrainJobError")
    train_job = world.train_job(developer)
    await refused(developer.post("/inference_jobs", json=body), 400, "InvalidTrainJobError")
    world.trial(train_job, 1, 0.5, b"params")
    store.train_jobs.stop(train_job.id)

    created = await ok(developer.post("/inference_jobs", json=body))
    assert {**created, "id": "", "predictor_host": ""} == {
        "id": "",
        "train_job_id": train_job.id,
        "app": "app",
        "app_version": 1,
        "predictor_host": "",
    }
    host, port = created["predictor_host"].split(":")
    assert host == "127.0.0.1"
    assert int(port) in settings.predictor_port_range
    assert supervision.n_wakes == 1
    await refused(developer.post("/inference_jobs", json={"app": "app"}), 409, "RunningInferenceJobExistsError")

    job = await ok(developer.get("/inference_jobs/app/-1"))
    assert job["status"] == "STARTED"
    assert created.items() <= job.items()
    assert await ok(developer.get("/inference_jobs")) == [job]
    assert await ok(developer.get("/inference_jobs/app")) == [job]

    reference = {"id": job["id"], "train_job_id": train_job.id, "app": "app", "app_version": 1}
    assert await ok(developer.post("/inference_jobs/app/1/stop")) == reference
    assert supervision.stopped == [job["id"]]
    for answer in (developer.get("/inference_jobs/app/-1"), developer.post("/inference_jobs/app/-1/stop")):
        await refused(answer, 404, "InvalidRunningInferenceJobError")
    [stopped] = await ok(developer.get("/inference_jobs/app"))
    assert stopped["status"] == "STOPPED"
    assert stopped["datetime_stopped"].endswith("Z")


async def test_a_job_without_a_saved_trial_cannot_be_deployed(developer: Api, world: World, store: Store) -> None:
    train_job = world.train_job(developer)
    world.trial(train_job, 1, 0.5)
    store.train_jobs.stop(train_job.id)
    await refused(developer.post("/inference_jobs", json={"app": "app"}), 400, "InvalidTrainJobError")


@pytest.mark.parametrize(
    ("change", "status", "name"),
    [
        ({"budget": {"GPU_COUNT": 2}}, 409, "InsufficientResourcesError"),
        ({"budget": {"TIME_HOURS": 1}}, 400, "InvalidRequestError"),
        ({"app_version": 10**30}, 400, "InvalidRequestError"),
        ({"app_version": 7}, 404, "InvalidTrainJobError"),
    ],
)
async def test_inference_jobs_that_are_refused(developer: Api, change: dict[str, Any], status: int, name: str) -> None:
    await refused(developer.post("/inference_jobs", json={"app": "app"} | change), status, name)


async def test_more_gpus_than_there_are_is_refused_with_both_numbers(developer: Api) -> None:
    answer = developer.post("/inference_jobs", json={"app": "app", "budget": {"GPU_COUNT": 5}})
    message = await refused(answer, 409, "InsufficientResourcesError")
    assert message.startswith("GPU_COUNT of the budget is 5, and there is 1 GPU ask for at most 1")


async def test_a_predictor_gets_a_port_that_nobody_else_holds(
    developer: Api, world: World, store: Store, settings: Settings
) -> None:
    train_job = world.train_job(developer)
    world.trial(train_job, 1, 0.5, b"params")
    store.train_jobs.stop(train_job.id)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        settings.predictor_ports = f"{taken}-{taken}"
        response = await developer.post("/inference_jobs", json={"app": "app"})
    assert 400 <= response.status_code < 600
    assert response.headers["content-type"] == "application/json"
    assert await ok(developer.get("/inference_jobs")) == []


async def test_stop_all_jobs(superadmin: Api, developer: Api, app_developer: Api, world: World, store: Store) -> None:
    deployed = world.train_job(developer, "deployed")
    world.trial(deployed, 1, 0.5, b"params")
    store.train_jobs.stop(deployed.id)
    serving = await ok(developer.post("/inference_jobs", json={"app": "deployed"}))
    jobs = [world.train_job(developer, "a"), world.train_job(app_developer, "b")]
    stopped = await ok(superadmin.post("/actions/stop_all_jobs"))
    assert {job["id"] for job in stopped["train_jobs"]} == {job.id for job in jobs}
    assert stopped["inference_jobs"] == [{"id": serving["id"]}]
    assert {job["status"] for job in await ok(developer.get("/train_jobs"))} == {"STOPPED"}
    assert await ok(superadmin.post("/actions/stop_all_jobs")) == {"train_jobs": [], "inference_jobs": []}
