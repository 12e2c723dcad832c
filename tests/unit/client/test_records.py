"""Answers are plain data that reads well."""

from __future__ import annotations

import copy
import json
import pickle

JOB = {"id": "j", "app": "digits", "app_version": 2, "status": "STOPPED", "budget": {"GPU_COUNT": 0}, "error": None}


def test_a_record_has_a_line_per_key(admin, client):
    admin.on("GET /train_jobs/digits/-1", JOB)
    job = client.get_train_job("digits")
    assert repr(job).splitlines() == [
        "id           j",
        "app          digits",
        "app_version  2",
        "status       STOPPED",
        'budget       {"GPU_COUNT": 0}',
        "error        -",
    ]


def test_records_are_a_table_of_what_tells_them_apart(admin, client):
    trial = {"id": "t1", "no": 1, "status": "COMPLETED", "score": 0.123456789, "proposal": {"knobs": {}}}
    admin.on("GET /train_jobs/digits/-1/trials", [trial, {**trial, "id": "t2", "no": 10, "score": None}])
    trials = client.get_trials_of_train_job("digits")
    assert repr(trials).splitlines() == [
        "no  status     score     id",
        "1   COMPLETED  0.123457  t1",
        "10  COMPLETED  -         t2",
    ]


def test_long_lists_and_long_values_are_cut(admin, client):
    admin.on("GET /users", [{"id": str(no), "email": "e" * 300} for no in range(80)])
    lines = repr(client.get_users()).splitlines()
    assert lines[-1] == "... and 30 more"
    assert max(map(len, lines)) < 120


def test_they_are_dicts_and_lists_like_any_other(admin, client):
    admin.on("GET /train_jobs/digits", [JOB])
    jobs = client.get_train_jobs_of_app("digits")
    assert isinstance(jobs, list) and isinstance(jobs[0], dict)
    assert jobs == [JOB] and jobs[0] == JOB and {**jobs[0]} == JOB
    assert json.loads(json.dumps(jobs)) == [JOB]
    assert pickle.loads(pickle.dumps(jobs)) == copy.deepcopy(jobs) == [JOB]


def test_what_has_no_fields_reads_as_ever(admin, client):
    admin.on("GET /users", [])
    assert repr(client.get_users()) == "[]"
    admin.on("GET /users", [{"x": 1}])
    assert repr(client.get_users()) == "[x  1]"
    admin.on("GET /trials/t", {})
    assert repr(client.get_trial("t")) == "{}"
