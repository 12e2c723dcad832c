"""Train jobs and their trials: what is taken, what is told, what stopping and deleting do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rafiki.entities import DatasetPart
from rafiki.store import Store
from tests.unit.server.api import Api, NotedSupervision, World, ok, refused

TIMES = {"datetime_started", "datetime_stopped"}


@pytest.fixture
def job_body(app_developer: Api, developer: Api, world: World) -> dict[str, Any]:
    """A train job of the app developer that may be started."""
    dataset_id = world.dataset(app_developer).id
    model = world.model(developer, "public", access_right="PUBLIC")
    return {
        "app": "app",
        "task": "T",
        "train_dataset_id": dataset_id,
        "val_dataset_id": dataset_id,
        "budget": {"MODEL_TRIAL_COUNT": 2},
        "model_ids": [model.id],
    }


# Train jobs -------------------------------------------------------------------------------------------------------


async def test_create_a_train_job(
    app_developer: Api, job_body: dict[str, Any], supervision: NotedSupervision, store: Store
) -> None:
    job_body["train_args"] = {"a": [1, None, {"b": "ä"}]}
    created = await ok(app_developer.post("/train_jobs", json=job_body))
    assert created == {"id": created["id"], "app": "app", "app_version": 1}
    assert supervision.n_wakes == 1

    [job] = await ok(app_developer.get("/train_jobs/app"))
    assert job["status"] == "STARTED"
    assert job["budget"] == {"TIME_HOURS": 0.1, "GPU_COUNT": 0, "MODEL_TRIAL_COUNT": 2}
    assert job["train_args"] == job_body["train_args"]
    assert job["datetime_started"].endswith("Z")
    assert job["datetime_stopped"] is None
    assert job["error"] is None
    for key in ("task", "train_dataset_id", "val_dataset_id", "model_ids"):
        assert job[key] == job_body[key]
    assert await ok(app_developer.get("/train_jobs/app/-1")) == job
    assert await ok(app_developer.get("/train_jobs/app/1")) == job
    assert await ok(app_developer.get("/train_jobs")) == [job]

    await refused(app_developer.post("/train_jobs", json=job_body), 400, "InvalidTrainJobError")
    store.train_jobs.stop(job["id"])
    assert (await ok(app_developer.post("/train_jobs", json=job_body)))["app_version"] == 2


async def test_a_train_job_as_a_form(app_developer: Api, job_body: dict[str, Any]) -> None:
    form = {key: value if isinstance(value, str) else json.dumps(value) for key, value in job_body.items()}
    await ok(app_developer.post("/train_jobs", data=form))
    [job] = await ok(app_developer.get("/train_jobs/app"))
    assert job["budget"]["MODEL_TRIAL_COUNT"] == 2


@pytest.mark.parametrize(
    ("change", "status", "name"),
    [
        ({"budget": {"MODEL_TRIAL_COUNT": 0}}, 400, "InvalidTrainJobError"),
        ({"budget": {"SPEED": 1}}, 400, "InvalidTrainJobError"),
        ({"budget": "cheap"}, 400, "InvalidTrainJobError"),
        ({"budget": {"GPU_COUNT": 2}}, 409, "InsufficientResourcesError"),
        ({"model_ids": []}, 400, "NoModelsForTrainJobError"),
        ({"model_ids": None}, 400, "NoModelsForTrainJobError"),
        ({"model_ids": ["unknown"]}, 404, "InvalidModelError"),
        ({"train_dataset_id": "unknown"}, 404, "InvalidDatasetError"),
        ({"val_dataset_id": "unknown"}, 404, "InvalidDatasetError"),
        ({"val_dataset_id": None}, 400, "InvalidDatasetError"),  # nobody knows how to split one of a custom task
        ({"task": "U"}, 400, "InvalidDatasetError"),
        ({"task": ""}, 400, "InvalidRequestError"),
        ({"app": ""}, 400, "InvalidRequestError"),
        ({"app": "a/b"}, 400, "InvalidTrainJobError"),
        ({"app": ".."}, 400, "InvalidTrainJobError"),
        ({"train_args": [1]}, 400, "InvalidTrainJobError"),
    ],
)
async def test_train_jobs_that_are_refused(
    app_developer: Api, job_body: dict[str, Any], change: dict[str, Any], status: int, name: str
) -> None:
    await refused(app_developer.post("/train_jobs", json=job_body | change), status, name)
    assert await ok(app_developer.get("/train_jobs")) == []


async def test_more_gpus_than_there_are_is_refused_with_both_numbers(
    app_developer: Api, job_body: dict[str, Any]
) -> None:
    answer = app_developer.post("/train_jobs", json=job_body | {"budget": {"GPU_COUNT": 2}})
    message = await refused(answer, 409, "InsufficientResourcesError")
    assert message.startswith("GPU_COUNT of the budget is 2, and there is 1 GPU ask for at most 1")
    await ok(app_developer.post("/train_jobs", json=job_body | {"budget": {"GPU_COUNT": 1}}))


@pytest.mark.parametrize(
    "train_args", ['{"x": NaN}', '{"x": -Infinity}', '{"x": "\\ud800"}', '{"x":' * 400 + "1" + "}" * 400]
)
async def test_arguments_that_cannot_be_given_back_are_refused(
    app_developer: Api, job_body: dict[str, Any], train_args: str
) -> None:
    body = json.dumps(job_body)[:-1] + f', "train_args": {train_args}}}'
    headers = {"Content-Type": "application/json"}
    message = await refused(
        app_developer.post("/train_jobs", content=body, headers=headers), 400, "InvalidRequestError"
    )
    assert "train_args" in message


async def test_only_what_is_there_for_the_caller_can_be_used(
    app_developer: Api, developer: Api, admin: Api, job_body: dict[str, Any], world: World
) -> None:
    others_dataset = job_body | {"train_dataset_id": world.dataset(developer).id}
    await refused(app_developer.post("/train_jobs", json=others_dataset), 404, "InvalidDatasetError")
    private = job_body | {"model_ids": [*job_body["model_ids"], world.model(developer, "private").id]}
    await refused(app_developer.post("/train_jobs", json=private), 404, "InvalidModelError")
    other_task = job_body | {"model_ids": [world.model(developer, "other", task="U", access_right="PUBLIC").id]}
    await refused(app_developer.post("/train_jobs", json=other_task), 400, "InvalidModelError")


async def test_a_model_named_twice_is_trained_once(app_developer: Api, job_body: dict[str, Any]) -> None:
    await ok(app_developer.post("/train_jobs", json=job_body | {"model_ids": job_body["model_ids"] * 2}))
    assert (await ok(app_developer.get("/train_jobs/app/-1")))["model_ids"] == job_body["model_ids"]


async def test_stop_a_train_job(developer: Api, world: World, supervision: NotedSupervision) -> None:
    job = world.train_job(developer)
    trial = world.trial(job, 1)
    assert await ok(developer.post("/train_jobs/app/-1/stop")) == {"id": job.id, "app": "app", "app_version": 1}
    assert supervision.stopped == [job.id]
    stopped = await ok(developer.get("/train_jobs/app/1"))
    assert stopped["status"] == "STOPPED"
    trial_now = await ok(developer.get(f"/trials/{trial.id}"))
    assert trial_now["status"] == "ERRORED"
    assert "stopped" in trial_now["error"]["message"]
    await ok(developer.post("/train_jobs/app/1/stop"))
    assert await ok(developer.get("/train_jobs/app/1")) == stopped


async def test_delete_a_train_job(
    developer: Api, admin: Api, app_developer: Api, world: World, store: Store, supervision: NotedSupervision
) -> None:
    job = world.train_job(developer)
    trial = world.trial(job, 1, 0.5, b"params")
    assert "is STARTED" in await refused(developer.delete("/train_jobs/app/1"), 409, "TrainJobUsedError")
    store.train_jobs.stop(job.id)
    await ok(developer.post("/inference_jobs", json={"app": "app"}))
    assert "is deployed" in await refused(developer.delete("/train_jobs/app/1"), 409, "TrainJobUsedError")
    await ok(developer.post("/inference_jobs/app/-1/stop"))
    await refused(app_developer.delete("/train_jobs/app/1"), 404, "InvalidTrainJobError")
    of_developer = {"user_id": developer.user.id}
    await refused(app_developer.delete("/train_jobs/app/1", params=of_developer), 403, "UnauthorizedError")
    await refused(admin.delete("/train_jobs/app/1"), 404, "InvalidTrainJobError")

    answer = await ok(admin.delete("/train_jobs/app/1", params=of_developer))
    assert answer == {"id": job.id, "app": "app", "app_version": 1}
    assert supervision.stopped[-1] == job.id  # no process of it was left
    assert (await ok(developer.get("/train_jobs/app")), await ok(developer.get("/inference_jobs/app"))) == ([], [])
    await refused(developer.get(f"/trials/{trial.id}"), 404, "InvalidTrialError")
    await refused(developer.delete("/train_jobs/app/1"), 404, "InvalidTrainJobError")
    await ok(developer.delete(f"/datasets/{job.train_dataset_id}"))
    assert world.train_job(developer).app_version == 2


async def test_a_job_of_one_dataset_is_for_the_platform_to_split(
    app_developer: Api, world: World, store: Store
) -> None:
    dataset = world.dataset(app_developer, "TABULAR_REGRESSION")
    model = world.model(app_developer, task="TABULAR_REGRESSION")
    body = {"app": "a", "task": "TABULAR_REGRESSION", "train_dataset_id": dataset.id, "model_ids": [model.id]}
    for i, val_dataset_id in enumerate([None, ""], start=1):
        created = await ok(app_developer.post("/train_jobs", json=body | {"val_dataset_id": val_dataset_id}))
        job = await ok(app_developer.get(f"/train_jobs/a/{i}"))
        assert (job["val_dataset_id"], job["split"]) == (None, None)
        store.train_jobs.stop(created["id"])
    process = store.jobs.get_process(created["id"])
    assert process is not None
    split = {"train": DatasetPart("aa" * 32, 7), "holdout": DatasetPart("bb" * 32, 2)}
    store.train_jobs.set_split(created["id"], process.epoch, split)
    job = await ok(app_developer.get("/train_jobs/a/-1"))
    assert job["split"] == {"train": {"n_items": 7}, "holdout": {"n_items": 2}}


@pytest.mark.parametrize("version", ["0", "2", "-2", "x", "1.0", "99999999999999999999", "--1", "²"])
async def test_versions_that_are_not_there(developer: Api, world: World, version: str) -> None:
    world.train_job(developer)
    await refused(developer.get(f"/train_jobs/app/{version}"), 404, "InvalidTrainJobError")
    assert await ok(developer.get(f"/train_jobs/app/{version}/trials")) == []
    await refused(developer.get(f"/inference_jobs/app/{version}"), 404, "InvalidRunningInferenceJobError")


@pytest.mark.parametrize("app_name", ["with space", "ä?#%&+", "%2F", "line\nbreak", "{app}"])
async def test_an_app_may_have_any_name_without_a_slash(
    app_developer: Api, job_body: dict[str, Any], app_name: str
) -> None:
    from urllib.parse import quote

    await ok(app_developer.post("/train_jobs", json=job_body | {"app": app_name}))
    assert (await ok(app_developer.get(f"/train_jobs/{quote(app_name, safe='')}/-1")))["app"] == app_name


# Trials -----------------------------------------------------------------------------------------------------------


async def test_trials_are_listed_newest_first_or_best_first(developer: Api, world: World) -> None:
    job = world.train_job(developer)
    saved = [world.trial(job, no, score, b"params") for no, score in enumerate((0.2, 0.9, 0.5), start=1)]
    world.trial(job, 4, 1.0)
    everyone = await ok(developer.get("/train_jobs/app/1/trials"))
    assert [trial["no"] for trial in everyone] == [4, 3, 2, 1]
    assert [trial["no"] for trial in await ok(developer.get("/train_jobs/app/-1/trials?limit=2&offset=1"))] == [3, 2]
    best = await ok(developer.get("/train_jobs/app/-1/trials?type=best&max_count=2"))
    assert [trial["score"] for trial in best] == [0.9, 0.5]
    assert len(await ok(developer.get("/train_jobs/app/-1/trials?type=best"))) == 3

    trial = await ok(developer.get(f"/trials/{saved[0].id}"))
    assert trial == everyone[-1]
    assert trial["proposal"]["knobs"] == {"k": 1}
    assert (trial["status"], trial["is_params_saved"], trial["attempt"]) == ("COMPLETED", True, 1)
    assert (trial["worker_id"], trial["train_job_id"], trial["error"]) == ("worker-1", job.id, None)
    assert trial["model_name"].startswith("model of app")
    assert all(trial[key].endswith("Z") for key in TIMES)


async def test_a_trials_parameters_are_bytes(developer: Api, world: World) -> None:
    job = world.train_job(developer)
    params = bytes(range(256)) * 10_000
    response = await developer.get(f"/trials/{world.trial(job, 1, 0.1, params).id}/parameters")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/octet-stream")
    assert response.content == params
    said = await refused(developer.get(f"/trials/{world.trial(job, 2).id}/parameters"), 404, "InvalidTrialError")
    assert "RUNNING" in said and "keep_params_of_best" not in said
    dropped = world.trial(job, 3, 0.1)
    said = await refused(developer.get(f"/trials/{dropped.id}/parameters"), 404, "InvalidTrialError")
    assert "COMPLETED" in said and "keep_params_of_best" in said


async def test_a_trials_log(developer: Api, world: World, store: Store) -> None:
    trial = world.trial(world.train_job(developer), 1)
    assert await ok(developer.get(f"/trials/{trial.id}/logs")) == {"messages": [], "metrics": [], "plots": []}
    time = "2026-01-01T00:00:00.000000Z"
    entries = [
        {"type": "PLOT", "time": time, "title": "Loss", "metrics": ["loss"], "x_axis": "epoch"},
        {"type": "METRICS", "time": time, "metrics": {"loss": 0.5, "epoch": 1}},
        {"type": "MESSAGE", "time": time, "message": "done"},
    ]
    store.trials.append_log(trial.id, [json.dumps(entry) for entry in entries])
    log = await ok(developer.get(f"/trials/{trial.id}/logs"))
    assert log["messages"] == [{"time": time, "message": "done"}]
    assert log["metrics"] == [{"time": time, "loss": 0.5, "epoch": 1}]
    assert log["plots"] == [{"title": "Loss", "metrics": ["loss"], "x_axis": "epoch"}]
