"""Waiting for jobs, without waiting."""

from __future__ import annotations

import pytest

from rafiki.client import RafikiConnectionError


def answers_in_turn(*answers):
    """The last answer is repeated."""
    left = list(answers)
    return lambda asked: (200, left.pop(0) if len(left) > 1 else left[0])


def train_job(status):
    return {"id": "j", "app": "app", "app_version": 2, "status": status}


def test_a_train_job_is_awaited_with_progress(admin, client, fake_time):
    admin.on("GET /train_jobs/app/-1", train_job("STARTED"))
    admin.on("GET /train_jobs/app/2", answers_in_turn(*map(train_job, ["STARTED", "RUNNING", "STOPPED"])))
    admin.on("GET /train_jobs/app/2/trials", answers_in_turn([], [{"id": "t1"}], [{"id": "t2"}, {"id": "t1"}]))
    seen = []
    job = client.wait_until_train_job_has_stopped(
        "app", progress=lambda job, trials: seen.append((job["status"], len(trials)))
    )
    assert job == train_job("STOPPED")
    assert seen == [("STARTED", 0), ("RUNNING", 1), ("STOPPED", 2)]
    assert fake_time.slept == pytest.approx([0.2, 0.24])


def test_a_train_job_that_ended_errored_is_handed_back(admin, client, fake_time):
    job = {**train_job("ERRORED"), "error": {"code": "INVALID_MODELS", "message": "m"}}
    admin.on("GET /train_jobs/app/2", job)
    assert client.wait_until_train_job_has_stopped("app", app_version=2) == job
    assert fake_time.slept == []


def test_waiting_asks_ever_less_often_and_has_an_end(admin, client, fake_time):
    admin.on("GET /train_jobs/app/2", train_job("RUNNING"))
    with pytest.raises(TimeoutError, match=r"waited 20 s, but the train job of app \(version 2\) still runs"):
        client.wait_until_train_job_has_stopped("app", 2, timeout=20)
    assert fake_time.slept[0] == 0.2
    assert max(fake_time.slept) == 1.0
    assert sum(fake_time.slept) == pytest.approx(20)


def inference_job(status):
    return {"id": "i", "app_version": 1, "status": status, "predictor_host": "h:1"}


def test_an_inference_job_is_awaited(admin, client, fake_time):
    admin.on("GET /inference_jobs/app/-1", inference_job("STARTED"))
    admin.on("GET /inference_jobs/app/1", answers_in_turn(inference_job("STARTED"), inference_job("RUNNING")))
    assert client.wait_until_inference_job_is_running("app") == inference_job("RUNNING")
    assert len(fake_time.slept) == 1


def test_an_inference_job_that_ends_instead_says_why(admin, client):
    admin.on("GET /inference_jobs/app/-1", inference_job("STARTED"))
    admin.refuse("GET /inference_jobs/app/1", "InvalidRunningInferenceJobError", "none runs", status=404)
    error = {"code": "NO_MEMBERS", "message": "no member could load", "hint": "see the trial's log"}
    admin.on("GET /inference_jobs/app", [{**inference_job("ERRORED"), "error": error}])
    with pytest.raises(RafikiConnectionError, match=r"ended ERRORED: no member could load.*see the trial's log") as e:
        client.wait_until_inference_job_is_running("app")
    assert e.value.name == "InvalidRunningInferenceJobError"


def test_waiting_for_what_was_never_deployed_is_an_error_at_once(admin, client, fake_time):
    admin.refuse("GET /inference_jobs/app/-1", "InvalidRunningInferenceJobError", "none runs", status=404)
    with pytest.raises(RafikiConnectionError, match="none runs"):
        client.wait_until_inference_job_is_running("app")
    assert fake_time.slept == []
