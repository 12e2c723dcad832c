"""The command line as its users meet it: real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest


def rafiki(*arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAFIKI_")}
    return subprocess.run(
        [sys.executable, "-m", "rafiki.cli.main", *arguments],
        capture_output=True,
        text=True,
        env={**kept, **environment},
        timeout=30,
    )


def test_help_is_quick_and_names_the_commands():
    started = time.monotonic()
    done = rafiki("--help")
    assert time.monotonic() - started < 2  # a loose bound: it takes 0.3 s on an idle machine
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("serve", "status", "demo"))


def test_help_loads_neither_the_http_library_nor_numpy():
    loaded = "import rafiki.cli.main, sys; print({'httpx', 'numpy', 'fastapi', 'pydantic'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True) == "set()\n"


def test_an_unknown_command_is_a_failure_without_a_traceback():
    done = rafiki("fly")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        (["--port", "70000"], {}, ["port", "70000"]),
        ([], {"RAFIKI_CORES": "many"}, ["cores", "many"]),
        ([], {"RAFIKI_PREDICTOR_PORTS": "x"}, ["predictor_ports", "30000-30999"]),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(flags, environment, said):
    done = rafiki("serve", *flags, **environment)
    assert done.returncode == 1
    first, *hints = done.stderr.splitlines()
    assert first.startswith("InvalidSettingsError: ")
    assert all(word in first for word in said), first
    assert len(hints) == 1


def test_an_unreadable_settings_file_is_said_so(tmp_path, monkeypatch):
    (tmp_path / "rafiki.toml").write_text("port = [")
    monkeypatch.chdir(tmp_path)
    done = rafiki("serve")
    assert done.returncode == 1
    assert "InvalidSettingsError: rafiki.toml cannot be read" in done.stderr


def test_status_of_no_server():
    done = rafiki("status", RAFIKI_ADDR="127.0.0.1", ADMIN_EXT_PORT="1")
    assert done.returncode == 1
    assert done.stdout == "No Rafiki server is up at http://127.0.0.1:1. Start one with: rafiki serve\n"
    done = rafiki("status", "--json", RAFIKI_ADDR="127.0.0.1", ADMIN_EXT_PORT="1")
    assert json.loads(done.stdout) == {"up": False, "url": "http://127.0.0.1:1", "pid": None}
    assert done.returncode == 1


def test_status_of_a_data_folder_without_a_server(tmp_path):
    done = rafiki("status", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout.startswith("No Rafiki server is up")


def test_status_of_the_server_of_a_data_folder(admin, tmp_path):
    admin.on("GET /", "Rafiki is up")
    url = f"http://127.0.0.1:{admin.port}"
    (tmp_path / "server.json").write_text(json.dumps({"url": url, "pid": 42}))
    done = rafiki("status", "--data-dir", str(tmp_path), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"up": True, "url": url, "pid": 42, "jobs": None}
    done = rafiki("status", "--data-dir", str(tmp_path))
    assert done.stdout.startswith(f"Rafiki is up at {url} (process 42)\n")


def test_status_waits_for_a_server_as_long_as_it_is_told(admin, tmp_path):
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
    assert rafiki("status", "--wait", "0.1", RAFIKI_ADDR="127.0.0.1", ADMIN_EXT_PORT="1").returncode == 1


JOB = {"app_version": 1, "datetime_started": "2030-01-01T00:00:00Z"}


@pytest.mark.parametrize("user_type", ["APP_DEVELOPER", "ADMIN"])
def test_status_lists_the_running_jobs_that_its_user_may_see(admin, user_type):
    admin.on("GET /", "Rafiki is up")
    admin.on("POST /tokens", {"user_id": "u1", "user_type": user_type, "token": "t"})
    admin.on("GET /users", [{"id": "u1"}, {"id": "u2"}])

    def train_jobs(asked):
        app = f"app-of-{asked.query['user_id']}"
        return 200, [{**JOB, "app": app, "status": "RUNNING"}, {**JOB, "app": app, "status": "STOPPED"}]

    admin.on("GET /train_jobs", train_jobs)
    admin.on("GET /inference_jobs", [])
    who = {"RAFIKI_EMAIL": "a@b", "RAFIKI_PASSWORD": "pw"}
    there = {"RAFIKI_ADDR": "127.0.0.1", "ADMIN_EXT_PORT": str(admin.port)}
    jobs = json.loads(rafiki("status", "--json", **who, **there).stdout)["jobs"]
    apps = [job["app"] for job in jobs]
    assert apps == (["app-of-u1", "app-of-u2"] if user_type == "ADMIN" else ["app-of-u1"])
    assert all((job["kind"], job["status"]) == ("train", "RUNNING") for job in jobs)
    assert "app-of-u1" in rafiki("status", **who, **there).stdout


def test_a_refusal_reads_as_name_sentence_and_hint(admin):
    admin.on("GET /", "Rafiki is up")
    admin.refuse("POST /tokens", "InvalidUserError", "no such user, or another password", hint="ask an admin")
    there = {"RAFIKI_ADDR": "127.0.0.1", "ADMIN_EXT_PORT": str(admin.port)}
    done = rafiki("status", RAFIKI_EMAIL="a@b", RAFIKI_PASSWORD="pw", **there)
    assert done.returncode == 1
    assert done.stderr == "InvalidUserError: no such user, or another password\n  ask an admin\n"
