"""Models in environments of their own, through the client, against a real server."""

from __future__ import annotations

import sys
import time
from typing import Any

import httpx
import pytest

from rafiki.client import RafikiConnectionError
from tests.server_process import TEMPLATES, ServerProcess, Until, Work

#: Of another major version than the one that a model gets that asks for none, where there is such a one.
OLD_NUMPY = "1.26.4" if sys.version_info < (3, 13) else "2.1.0"


def add(work: Work, name: str, dependencies: dict[str, str] | None = None) -> str:
    path = str(TEMPLATES / "Numpy.py")
    return str(work.client.create_model(name, "ANY", path, "Numpy", dependencies)["id"])


def checked(work: Work, model_id: str, until: Until) -> dict[str, Any]:
    model: dict[str, Any] = until(lambda: (m := work.client.get_model(model_id))["status"] != "CHECKING" and m)
    return model


def test_two_versions_of_a_library_are_tuned_in_one_job_and_served_in_one_ensemble(
    developer: Work, until: Until
) -> None:
    models = [add(developer, "New"), add(developer, "Old", {"numpy": OLD_NUMPY})]
    job = developer.ended_train_job("app", models)
    assert (job["status"], job["error"]) == ("STOPPED", None)
    said = {}
    for trial in developer.client.get_trials_of_train_job("app"):
        (message,) = developer.client.get_trial_logs(trial["id"])["messages"]
        said[trial["model_name"]] = message["message"].removeprefix("trained with numpy ")
    assert said["Old"] == OLD_NUMPY != said["New"]
    developer.client.create_inference_job("app")
    host = developer.client.wait_until_inference_job_is_running("app", timeout=60)["predictor_host"]
    answer = until(lambda: _both_answer(host))
    assert set(answer.headers["Rafiki-Members"].partition("; ")[2].split(", ")) == {"New", "Old"}
    developer.client.stop_inference_job("app")


def _both_answer(host: str) -> httpx.Response | None:
    answer = httpx.post(f"http://{host}/predict", json={"query": 1}, timeout=30)
    return answer if answer.headers["Rafiki-Members"].startswith("2/2") else None


def test_a_removed_environment_is_built_again_for_the_job_that_needs_it(
    server: ServerProcess, developer: Work, until: Until
) -> None:
    model_id = add(developer, "M", {"numpy": OLD_NUMPY})
    model = checked(developer, model_id, until)
    assert model["status"] == "READY"
    admin = server.client()
    developer.ended_train_job("before", [model_id])
    admin.delete_environment(model["environment"])
    assert model["environment"] not in [one["id"] for one in admin.get_environments()]
    assert developer.ended_train_job("after", [model_id])["status"] == "STOPPED"
    assert model["environment"] in [one["id"] for one in admin.get_environments()]


def test_an_environment_in_use_is_not_removed(server: ServerProcess, developer: Work, until: Until) -> None:
    model_id = developer.model()
    model = checked(developer, model_id, until)
    developer.train_job("app", [model_id], {"seconds": 2})
    with pytest.raises(RafikiConnectionError, match="EnvironmentUsedError"):
        server.client().delete_environment(model["environment"])
    developer.client.stop_train_job("app")


def test_a_second_model_with_the_same_dependencies_is_ready_at_once(developer: Work, until: Until) -> None:
    first = checked(developer, add(developer, "First"), until)
    second = checked(developer, add(developer, "Second"), until)
    assert first["environment"] == second["environment"]


def test_what_cannot_be_installed_is_told_within_seconds(developer: Work, until: Until) -> None:
    started = time.monotonic()
    model = checked(developer, add(developer, "M", {"scikit-learn": "0.20.0", "numpy": "1.16.0"}), until)
    assert time.monotonic() - started < 15
    assert (model["status"], model["error"]["code"]) == ("INVALID", "MISSING_DEPENDENCY")
    assert "scikit-learn 0.20.0" in model["error"]["message"] or "numpy 1.16.0" in model["error"]["message"]
    assert "nearest version" in model["error"]["hint"]
