"""`rafiki status`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.fixture
def nowhere(anybody, monkeypatch):
    monkeypatch.setenv("ADMIN_EXT_PORT", "1")
    return anybody


def test_no_server(nowhere):
    done = nowhere("status")
    assert (done.status, done.out) == (
        1,
        "No Rafiki server is up at http://127.0.0.1:1. Start one with: rafiki serve\n",
    )
    done = nowhere("status", "--json")
    assert (done.status, done.json) == (1, {"up": False, "url": "http://127.0.0.1:1", "pid": None})
    assert nowhere("status", "--wait", "0.1").status == 1


def test_a_data_folder_without_a_server(anybody, tmp_path):
    done = anybody("status", "--data-dir", str(tmp_path))
    assert done.status == 1
    assert done.out.startswith("No Rafiki server is up")


def test_the_server_of_a_data_folder(admin, anybody, tmp_path):
    admin.on("GET /", "Rafiki is up")
    url = f"http://127.0.0.1:{admin.port}"
    (tmp_path / "server.json").write_text(json.dumps({"url": url, "pid": 42}))
    done = anybody("status", "--data-dir", str(tmp_path), "--json")
    assert (done.status, done.json) == (0, {"up": True, "url": url, "pid": 42, "jobs": None})
    done = anybody("status", "--data-dir", str(tmp_path))
    assert done.out.startswith(f"Rafiki is up at {url} (process 42)\n")


def test_it_waits_for_a_server_as_long_as_it_is_told(admin, tmp_path):
    admin.on("GET /", "Rafiki is up")
    command = [sys.executable, "-m", "rafiki.cli.main", "status", "--data-dir", str(tmp_path), "--wait", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        server = json.dumps({"url": f"http://127.0.0.1:{admin.port}", "pid": 42})
        (tmp_path / "partial").write_text(server)
        (tmp_path / "partial").rename(tmp_path / "server.json")
        assert waiting.wait(30) == 0
        assert waiting.stdout.readline().startswith("Rafiki is up")


JOB = {"app_version": 1, "datetime_started": "2030-01-01T00:00:00Z"}


def apps_run(admin, user_type):
    admin.on("GET /", "Rafiki is up")
    admin.on("GET /users/me", {"id": "u1", "user_type": user_type})
    admin.on("GET /users", [{"id": "u1"}, {"id": "u2"}])

    def train_jobs(asked):
        app = f"app-of-{asked.query['user_id']}"
        return 200, [{**JOB, "app": app, "status": "RUNNING"}, {**JOB, "app": app, "status": "STOPPED"}]

    admin.on("GET /train_jobs", train_jobs)
    admin.on("GET /inference_jobs", [])


@pytest.mark.parametrize("user_type", ["APP_DEVELOPER", "ADMIN"])
def test_it_lists_the_running_jobs_that_its_user_may_see(admin, rafiki, user_type):
    apps_run(admin, user_type)
    jobs = rafiki("status", "--json").json["jobs"]
    apps = [job["app"] for job in jobs]
    assert apps == (["app-of-u1", "app-of-u2"] if user_type == "ADMIN" else ["app-of-u1"])
    assert all((job["kind"], job["status"]) == ("train", "RUNNING") for job in jobs)
    assert "app-of-u1" in rafiki("status").out


def test_jobs_are_those_of_who_is_signed_in(admin, signed_in):
    apps_run(admin, "APP_DEVELOPER")
    assert len(signed_in("status", "--json").json["jobs"]) == 1
    admin.refuse("GET /users/me", "UnauthorizedError", "the token has expired", status=401)
    done = signed_in("status")
    assert done.status == 0
    assert "Sign in with rafiki login" in done.out


def test_a_refusal_reads_as_name_sentence_and_hint(admin, anybody, monkeypatch):
    monkeypatch.setenv("RAFIKI_EMAIL", "a@b")
    monkeypatch.setenv("RAFIKI_PASSWORD", "pw")
    admin.on("GET /", "Rafiki is up")
    admin.refuse("POST /tokens", "InvalidUserError", "no such user, or another password", hint="ask an admin")
    done = anybody("status")
    assert (done.status, done.err) == (1, "InvalidUserError: no such user, or another password\n  ask an admin\n")
