"""From a template to predictions, through the client and the predictor's address, against a real server."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import httpx
import pytest

from rafiki.client import RafikiConnectionError
from tests.server_process import ServerProcess, Until, Work


def test_a_one_trial_job_is_served(developer: Work, until: Until) -> None:
    client = developer.client
    job = developer.ended_train_job("app", [developer.model()])
    assert (job["status"], job["app"], job["app_version"], job["task"]) == ("STOPPED", "app", 1, "ANY")
    (trial,) = client.get_trials_of_train_job("app")
    assert (trial["no"], trial["status"], trial["model_name"], trial["is_params_saved"]) == (
        1, "COMPLETED", "Steps", True,
    )  # fmt: skip
    assert trial["proposal"]["knobs"]["kind"] == "steps"
    assert uuid.UUID(trial["id"]) and datetime.fromisoformat(trial["datetime_stopped"]).tzinfo

    deployed = client.create_inference_job("app")
    assert deployed["train_job_id"] == job["id"]
    running = client.wait_until_inference_job_is_running("app", timeout=60)
    assert running["predictor_host"] == deployed["predictor_host"]
    url = f"http://{running['predictor_host']}"
    assert httpx.get(url + "/").status_code == 200
    one = httpx.post(url + "/predict", json={"query": {"a": 1}})
    assert one.status_code == 200 and set(one.json()) == {"prediction", "predictions"}
    assert one.json()["prediction"]["query"] == {"a": 1} and one.json()["predictions"] == []
    assert one.headers["Rafiki-Members"] == "1/1; Steps"
    many = httpx.post(url + "/predict", json={"queries": [1, "two", None]}).json()
    assert many["prediction"] is None
    assert [prediction["query"] for prediction in many["predictions"]] == [1, "two", None]
    assert httpx.post(url + "/predict", json={"neither": 1}).status_code == 400

    stopped = client.stop_inference_job("app")
    assert stopped["train_job_id"] == job["id"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url + "/")
    with pytest.raises(RafikiConnectionError, match="InvalidRunningInferenceJobError"):
        client.get_running_inference_job("app")


def test_a_jobs_only_model_is_served_by_its_two_best_trials(developer: Work) -> None:
    developer.ended_train_job("app", [developer.model()], MODEL_TRIAL_COUNT=3)
    developer.client.create_inference_job("app")
    host = developer.client.wait_until_inference_job_is_running("app", timeout=60)["predictor_host"]
    answer = httpx.post(f"http://{host}/predict", json={"query": 1})
    best, second = developer.client.get_best_trials_of_train_job("app")
    assert answer.json()["prediction"]["x"] == best["proposal"]["knobs"]["x"]  # a custom task's best member answers
    assert best["score"] >= second["score"]
    developer.client.stop_inference_job("app")


def test_a_model_whose_parameters_cannot_be_loaded_makes_the_inference_job_errored(
    developer: Work, until: Until
) -> None:
    developer.ended_train_job("app", [developer.model("FailsToLoad")])
    developer.client.create_inference_job("app")
    jobs = until(lambda: [job for job in developer.client.get_inference_jobs_of_app("app") if job["error"]])
    assert jobs[0]["status"] == "ERRORED"
    assert "these parameters do not fit" in jobs[0]["error"]["message"]
    with pytest.raises(RafikiConnectionError, match="InvalidRunningInferenceJobError"):
        developer.client.get_running_inference_job("app")
    developer.client.create_inference_job("app")  # it is no longer a running one


def test_a_class_that_turns_out_abstract_is_accepted_and_its_job_ends_errored(developer: Work) -> None:
    abstract, usable = developer.model("Abstract"), developer.model()
    job = developer.ended_train_job("app", [abstract, usable])
    assert job["status"] == "ERRORED"
    assert "Abstract" in job["error"]["message"]
    model = developer.client.get_model(abstract)
    assert model["status"] == "INVALID" and model["error"]["message"]
    assert [trial["model_name"] for trial in developer.client.get_best_trials_of_train_job("app")] == ["Steps"]
    developer.client.create_inference_job("app")  # what the others trained can be served
    developer.client.wait_until_inference_job_is_running("app", timeout=60)
    assert abstract not in [model["id"] for model in developer.client.get_available_models("ANY")]


@pytest.mark.parametrize("dependencies", [None, {}, {"numpy": "2"}], ids=str)
def test_dependencies_that_are_there(developer: Work, until: Until, dependencies: Any) -> None:
    model_id = developer.model(dependencies=dependencies)
    model = until(lambda: (m := developer.client.get_model(model_id))["status"] != "CHECKING" and m)
    assert (model["status"], model["dependencies"]) == ("READY", dependencies or {})


def test_a_dependency_that_is_not_there_is_named(developer: Work, until: Until) -> None:
    model_id = developer.model(dependencies={"no-such-package": "1.0"})
    model = until(lambda: (m := developer.client.get_model(model_id))["status"] != "CHECKING" and m)
    assert model["status"] == "INVALID"
    assert "no-such-package" in model["error"]["message"]


def test_trials_logs_are_read_while_the_trial_runs(developer: Work, until: Until) -> None:
    developer.train_job("app", [developer.model()], {"seconds": 3})
    (trial,) = until(lambda: developer.client.get_trials_of_train_job("app"))
    logs = until(lambda: (found := developer.client.get_trial_logs(trial["id"]))["metrics"] and found)
    assert developer.client.get_trial(trial["id"])["status"] == "RUNNING"
    assert logs["plots"][0]["metrics"] == ["loss"] and logs["plots"][0]["x_axis"] == "epoch"
    assert {"loss": 0.5, "epoch": 0}.items() <= logs["metrics"][0].items()


def test_a_trials_model_is_loaded_here(developer: Work) -> None:
    from tests.templates.Steps import Steps

    developer.ended_train_job("app", [developer.model()])
    (trial,) = developer.client.get_best_trials_of_train_job("app")
    params = developer.client.get_trial_parameters(trial["id"])
    assert params["weights"].tolist() == pytest.approx([i * params["x"] for i in range(4)])
    model = developer.client.load_trial_model(trial["id"], Steps)
    assert model.predict(["q"])[0]["x"] == params["x"]


def test_one_running_job_per_app_and_versions_count_up(developer: Work) -> None:
    model = developer.model()
    first = developer.train_job("app", [model], {"seconds": 60})
    with pytest.raises(RafikiConnectionError, match="InvalidTrainJobError"):
        developer.train_job("app", [model])
    with pytest.raises(RafikiConnectionError, match="InvalidTrainJobError"):
        developer.client.create_inference_job("app")
    assert developer.client.stop_train_job("app")["id"] == first["id"]
    stopped = developer.client.get_train_job("app")
    assert (stopped["status"], stopped["error"]) == ("STOPPED", None)
    assert {trial["status"] for trial in developer.client.get_trials_of_train_job("app")} <= {"ERRORED"}
    assert developer.client.stop_train_job("app")["id"] == first["id"]  # no effect
    assert developer.train_job("app", [model])["app_version"] == 2
    with pytest.raises(RafikiConnectionError, match="ModelUsedError"):
        developer.client.delete_model(model)


def test_more_gpus_than_there_are_is_refused_with_their_number(developer: Work) -> None:
    with pytest.raises(RafikiConnectionError, match="is 1000, and there are 0 GPUs"):
        developer.train_job("app", [developer.model()], GPU_COUNT=1000)


def test_others_jobs_are_not_known(server: ServerProcess, developer: Work) -> None:
    developer.ended_train_job("private", [developer.model()])
    (trial,) = developer.client.get_trials_of_train_job("private")
    stranger = server.user("MODEL_DEVELOPER", "stranger@example.org")
    assert stranger.get_train_jobs_of_app("private") == []
    for call in (
        lambda: stranger.get_train_job("private"),
        lambda: stranger.get_trial(trial["id"]),
        lambda: stranger.get_trial_parameters(trial["id"]),
        lambda: stranger.get_model(developer.client.get_available_models("ANY")[0]["id"]),
    ):
        with pytest.raises(RafikiConnectionError) as refused:
            call()
        assert refused.value.status == 404


def test_stop_all_jobs_stops_everything(server: ServerProcess, developer: Work) -> None:
    developer.ended_train_job("served", [developer.model()])
    developer.client.create_inference_job("served")
    job = developer.train_job("running", [developer.model(name="again")], {"seconds": 60})
    stopped = server.client().stop_all_jobs()
    assert job["id"] in [one["id"] for one in stopped["train_jobs"]]
    assert developer.client.get_train_job("running")["status"] == "STOPPED"
    with pytest.raises(RafikiConnectionError, match="InvalidRunningInferenceJobError"):
        developer.client.get_running_inference_job("served")
