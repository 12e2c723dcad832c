"""`rafiki train`, `trial`, `logs`, `deploy`: what is asked of the server, and what is printed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rafiki.model.params import load_params, pack_params

D1, D2 = "0b9c1d9e-5c0e-4f7e-8a43-0d2f0c9f4b11", "0b9c1d9e-5c0e-4f7e-8a43-0d2f0c9f4b12"
M1 = "7f3a4a6e-7d5c-4a58-b3f5-0f0f4f7a9a01"
TIMES = {"datetime_started": "2030-01-01T00:00:00Z", "datetime_stopped": "2030-01-01T00:00:01.5Z"}
JOB = {
    "id": "j",
    "app": "app",
    "app_version": 2,
    "status": "STOPPED",
    "task": "T",
    "budget": {},
    "error": None,
    **TIMES,
}
TRIAL = {
    "id": "t1",
    "no": 1,
    "attempt": 1,
    "model_name": "SkDt",
    "status": "COMPLETED",
    "score": 0.75,
    "proposal": {"knobs": {"depth": 3, "kind": "[a]"}},
    **TIMES,
}


@pytest.fixture
def train_job(admin):
    """A train job that has ended, with one trial."""
    for version in ("-1", "2"):
        admin.on(f"GET /train_jobs/app/{version}", JOB)
        admin.on(f"GET /train_jobs/app/{version}/trials", [TRIAL])


def test_a_train_job_is_started_by_names(admin, rafiki):
    admin.on("GET /datasets", [{"id": D1, "name": "train"}, {"id": D2, "name": "val"}])
    admin.on(f"GET /datasets/{D1}", {"id": D1, "task": "T"})
    admin.on("GET /models/available", [{"id": M1, "user_id": "u", "name": "SkDt"}])
    admin.on("POST /train_jobs", {"id": "j", "app": "app", "app_version": 1})
    done = rafiki(
        "train", "start", "app", "--train", "train", "--val", "val", "--model", "SkDt", "--hours", "0.5",
        "--trials", "3", "--gpus", "0", "--workers", "2", "--budget", "HARD_LIMIT=true", "--budget", "ADVISOR=Random",
        "--arg", 'features=["a"]', "--arg", "target=b",
    )  # fmt: skip
    assert done.status == 0
    assert done.err == "To follow it: rafiki train watch app\n"
    assert admin.last.json == {
        "app": "app",
        "task": "T",
        "train_dataset_id": D1,
        "val_dataset_id": D2,
        "model_ids": [M1],
        "budget": {
            "TIME_HOURS": 0.5, "MODEL_TRIAL_COUNT": 3, "GPU_COUNT": 0, "WORKER_COUNT": 2, "HARD_LIMIT": True,
            "ADVISOR": "Random",
        },
        "train_args": {"features": ["a"], "target": "b"},
    }  # fmt: skip


def test_a_train_job_with_defaults(admin, rafiki):
    admin.on(f"GET /datasets/{D1}", {"id": D1, "task": "T"})
    admin.on("GET /models/available", [{"id": M1}])
    admin.on("POST /train_jobs", {"id": "j", "app": "app", "app_version": 1})
    done = rafiki("train", "start", "app", "--train", D1, "--json")
    assert (done.json, done.err) == ({"id": "j", "app": "app", "app_version": 1}, "")
    asked = admin.last.json
    assert not {"val_dataset_id", "train_args", "limits"} & set(asked)
    assert asked["budget"] == {"TIME_HOURS": 0.1, "GPU_COUNT": 0}
    assert asked["model_ids"] == [M1]


def test_a_train_jobs_limits(admin, rafiki):
    admin.on(f"GET /datasets/{D1}", {"id": D1, "task": "T"})
    admin.on("GET /models/available", [{"id": M1}])
    admin.on("POST /train_jobs", {"id": "j", "app": "app", "app_version": 1})
    start = ["train", "start", "app", "--train", D1]
    rafiki(*start, "--limit", "trial_time_s=600", "--limit", "memory_bytes=4000000000")
    assert admin.last.json["limits"] == {"trial_time_s": 600, "memory_bytes": 4_000_000_000}
    admin.on("GET /train_jobs/app/-1", {**JOB, "limits": {"trial_time_s": 600}})
    assert 'limits            {"trial_time_s": 600}' in rafiki("train", "show", "app").out
    refusal = "only admins may set the limits of a train job"
    admin.refuse("POST /train_jobs", "UnauthorizedError", refusal, 403, hint="leave limits out")
    done = rafiki(*start, "--limit", "trial_time_s=600")
    assert done.status == 1
    assert refusal in done.err


def test_a_budget_that_is_no_pair_is_wrong_usage(rafiki):
    done = rafiki("train", "start", "app", "--train", D1, "--budget", "HARD_LIMIT")
    assert done.status == 2
    assert "KEY=VALUE" in done.err


def test_a_train_job_is_watched_in_lines_where_there_is_no_terminal(admin, rafiki, train_job, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    jobs = iter([{**JOB, "status": "STARTED"}, {**JOB, "status": "RUNNING"}, {**JOB, "status": "RUNNING"}, JOB])
    admin.on("GET /train_jobs/app/2", lambda asked: (200, next(jobs)))
    running = {**TRIAL, "status": "RUNNING", "score": None}
    trials = iter([[], [running], [running], [TRIAL, {**TRIAL, "id": "t2", "status": "ERRORED", "score": None}]])
    admin.on("GET /train_jobs/app/2/trials", lambda asked: (200, [TRIAL] if "type" in asked.query else next(trials)))
    done = rafiki("train", "watch", "app")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[:3] == [
        "app version 2 STARTED: no trial yet",
        "app version 2 RUNNING: SkDt 0 done, 1 running, best score -",
        "app version 2 STOPPED: SkDt 2 done, 0 running, 1 failed, best score 0.75",
    ]
    assert lines[4].split() == ["SkDt", "1", "COMPLETED", "0.75", "1.5", "depth=3,", "kind=[a]"]


def test_a_train_job_is_started_and_watched(admin, rafiki, train_job):
    admin.on("POST /train_jobs", {"id": "j", "app": "app", "app_version": 2})
    start = ["train", "start", "app", "--train", D1, "--task", "T", "--model", M1, "--watch"]
    done = rafiki(*start, "--json")
    assert (done.json, done.err) == (JOB, "")
    error = {"code": "INVALID_MODELS", "message": "SkDt has no method train", "hint": "add it"}
    admin.on("GET /train_jobs/app/2", {**JOB, "status": "ERRORED", "error": error})
    done = rafiki(*start)
    assert done.status == 1
    assert done.err == (
        "TrainJobFailedError: the train job of app ended ERRORED: INVALID_MODELS: SkDt has no method train (add it)\n"
    )


def test_watching_can_be_given_up(admin, rafiki):
    admin.on("GET /train_jobs/app/-1", {**JOB, "status": "RUNNING"})
    admin.on("GET /train_jobs/app/2", {**JOB, "status": "RUNNING"})
    done = rafiki("train", "watch", "app", "--timeout", "0", "--json")
    assert done.status == 1
    assert done.err.startswith("TimeoutError: waited 0 s, but the train job of app (version 2) still runs")


def test_train_jobs_and_their_trials(admin, rafiki, train_job):
    admin.on("GET /train_jobs", [JOB])
    assert rafiki("train", "list").rows[0][:4] == ["app", "2", "STOPPED", "T"]
    assert admin.last.query == {}
    admin.on("GET /users", [{"id": "u2", "email": "x@y"}])
    assert rafiki("train", "list", "--user", "x@y", "--json").json == [JOB]
    assert admin.last.query == {"user_id": "u2"}
    admin.on("GET /train_jobs/app", [JOB])
    assert rafiki("train", "list", "--app", "app", "--json").json == [JOB]
    assert rafiki("train", "show", "app", "--version", "2", "--json").json == JOB
    assert rafiki("train", "trials", "app", "--json").json == [TRIAL]
    assert rafiki("train", "best", "app", "--count", "7", "--json").json == [TRIAL]
    assert admin.last.query == {"type": "best", "max_count": "7"}
    admin.on("POST /train_jobs/app/-1/stop", {"id": "j"})
    assert rafiki("train", "stop", "app", "--json").json == {"id": "j"}
    admin.on("DELETE /train_jobs/app/2", {"id": "j"})
    assert rafiki("train", "delete", "app", "--version", "2", "--yes", "--json").json == {"id": "j"}
    rafiki("train", "delete", "app", "--version", "2", "--user", "x@y", "--yes")
    assert admin.last.query == {"user_id": "u2"}
    assert rafiki("train", "delete", "app", "--yes").status == 2  # which version is not left to chance


LOG = {
    "messages": [{"time": "2030-01-01T00:00:01Z", "message": "starting"}],
    "metrics": [{"time": "2030-01-01T00:00:02Z", "loss": 0.5, "epoch": 1}],
    "plots": [],
}


def test_a_trials_log_is_in_order_of_time(admin, rafiki):
    admin.on("GET /trials/t1/logs", LOG)
    assert [line[10:] for line in rafiki("trial", "logs", "t1").out.splitlines()] == ["starting", "loss=0.5 epoch=1"]
    assert rafiki("trial", "logs", "t1", "--json").json == LOG
    admin.on("GET /trials/t1", TRIAL)
    assert rafiki("trial", "show", "t1", "--json").json == TRIAL


def test_the_logs_of_an_app(admin, rafiki, train_job):
    admin.on("GET /trials/t1/logs", LOG)
    assert [line[19:] for line in rafiki("logs", "app").out.splitlines()] == ["starting", "loss=0.5 epoch=1"]
    (trial,) = rafiki("logs", "app", "--json").json
    assert (trial["trial_id"], trial["model_name"], trial["messages"]) == ("t1", "SkDt", LOG["messages"])


def test_logs_are_followed_until_the_job_has_stopped(admin, rafiki, train_job, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    jobs = iter([JOB, {**JOB, "status": "RUNNING"}, JOB] * 2)
    admin.on("GET /train_jobs/app/-1", lambda asked: (200, next(jobs)))
    admin.on("GET /train_jobs/app/2", lambda asked: (200, next(jobs)))
    trials = iter([[{**TRIAL, "status": "RUNNING"}], [TRIAL]] * 2)
    admin.on("GET /train_jobs/app/2/trials", lambda asked: (200, next(trials)))
    logs = iter([{**LOG, "metrics": []}, LOG] * 2)
    admin.on("GET /trials/t1/logs", lambda asked: (200, next(logs)))
    lines = rafiki("logs", "app", "--follow").out.splitlines()
    assert [line[19:] for line in lines] == ["starting", "loss=0.5 epoch=1"]
    done = rafiki("logs", "app", "--follow", "--json")
    assert [json.loads(line)["status"] for line in done.out.splitlines()] == ["COMPLETED"]


def test_a_trials_parameters(admin, rafiki, tmp_path):
    given = {"w": np.zeros((2, 3), np.float32), "n": 3, "text": "x" * 100, "raw": b"\x01", "none": None}
    admin.on("GET /trials/t1/parameters", pack_params(given))
    rows = {row["name"]: row for row in rafiki("trial", "params", "t1", "--json").json}
    assert rows["w"] == {"name": "w", "type": "float32", "shape": [2, 3], "value": None}
    assert (rows["n"]["value"], rows["text"]["value"], rows["raw"]["value"]) == (3, "100 long", "01")
    assert rafiki("trial", "params", "t1").rows[0] == ["w", "float32", "[2,", "3]", "-"]
    out = tmp_path / "best.params"
    assert rafiki("trial", "params", "t1", "--out", str(out), "--json").json["path"] == str(out)
    assert load_params(out)["n"] == 3


INFERENCE_JOB = {"id": "i", "app": "app", "app_version": 2, "status": "RUNNING", "predictor_host": "h:1", **TIMES}


def test_deployments(admin, rafiki):
    admin.on("POST /inference_jobs", {**INFERENCE_JOB, "status": "STARTED"})
    admin.on("GET /inference_jobs/app/2", INFERENCE_JOB)
    done = rafiki("deploy", "start", "app", "--members", "3", "--gpus", "1", "--budget", "ENSEMBLE=mean")
    assert done.out == "Version 2 of app: POST queries to http://h:1/predict\n"
    budget = {"GPU_COUNT": 1, "MAX_MEMBERS": 3, "ENSEMBLE": "mean"}
    made = next(asked for asked in admin.asked if asked.method == "POST")
    assert made.json == {"app": "app", "app_version": -1, "budget": budget}
    assert rafiki("deploy", "start", "app", "--no-wait", "--json").json["status"] == "STARTED"
    admin.on("GET /inference_jobs", [INFERENCE_JOB])
    assert rafiki("deploy", "list").rows[0][:4] == ["app", "2", "RUNNING", "h:1"]
    admin.on("GET /inference_jobs/app", [INFERENCE_JOB])
    assert rafiki("deploy", "list", "--app", "app", "--json").json == [INFERENCE_JOB]
    admin.on("GET /inference_jobs/app/-1", INFERENCE_JOB)
    assert rafiki("deploy", "show", "app", "--json").json == INFERENCE_JOB
    admin.on("POST /inference_jobs/app/-1/stop", {"id": "i"})
    assert rafiki("deploy", "stop", "app").out == "id  i\n"
