"""What a person sees where `progress=True`."""

from __future__ import annotations

import sys

import pytest
import rich

from rafiki.client import RafikiConnectionError
from rafiki.client.progress import progress_of_models

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
JOB = {"id": "j", "app": "app", "app_version": 2, "status": "STOPPED", "budget": {"MODEL_TRIAL_COUNT": 3}}


def trial(no, status, score=None, model="SkDt"):
    return {"id": f"{model}{no}", "model_name": model, "status": status, "score": score}


TRIALS = [trial(3, "RUNNING"), trial(2, "ERRORED"), trial(1, "COMPLETED", 0.75), trial(1, "COMPLETED", -1.0, "Net")]


@pytest.fixture
def on_a_terminal(monkeypatch, capsys):
    def change():
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    return change


@pytest.fixture
def train_job(admin):
    admin.on("GET /train_jobs/app/-1", JOB)
    admin.on("GET /train_jobs/app/2", JOB)
    admin.on("GET /train_jobs/app/2/trials", TRIALS)


@pytest.fixture
def data(admin, tmp_path):
    admin.on("POST /datasets", {"id": "d"})
    (tmp_path / "data").write_bytes(b"x" * 100_000)
    return tmp_path / "data"


def test_models_are_in_the_order_in_which_they_came_up():
    assert progress_of_models(TRIALS) == [
        {"model": "Net", "done": 1, "running": 0, "failed": 0, "best": -1.0},
        {"model": "SkDt", "done": 2, "running": 1, "failed": 1, "best": 0.75},
    ]


def test_a_train_job_is_a_line_per_change(client, train_job, capsys):
    client.wait_until_train_job_has_stopped("app", progress=True)
    assert capsys.readouterr().out == (
        "app version 2 STOPPED: Net 1 done, 0 running, best score -1; "
        "SkDt 2 done, 1 running, 1 failed, best score 0.75\n"
    )
    client.wait_until_train_job_has_stopped("app", progress=False)
    assert capsys.readouterr().out == ""


def test_a_train_job_is_a_table_on_a_terminal(client, train_job, on_a_terminal, capsys):
    rich.get_console()  # somebody's, made when there was no terminal
    on_a_terminal()
    client.wait_until_train_job_has_stopped("app", progress=True)
    out = capsys.readouterr().out
    assert "app version 2: STOPPED" in out
    assert "2 of 3" in out
    assert out.index(HIDE_CURSOR) < out.rindex(SHOW_CURSOR)


def test_an_upload_is_a_bar_on_a_terminal_and_nothing_elsewhere(client, data, on_a_terminal, capsys):
    client.create_dataset("[bold]digits", "T", data, progress=True)
    assert capsys.readouterr() == ("", "")
    on_a_terminal()
    client.create_dataset("[bold]digits", "T", data, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Uploading [bold]digits" in err
    assert "100.0/100.0 kB" in err


@pytest.mark.parametrize("end", ["a refusal", "an interruption"])
def test_a_bar_ends_however_the_upload_does(admin, client, data, on_a_terminal, capsys, end, monkeypatch):
    on_a_terminal()
    if end == "a refusal":
        admin.refuse("POST /datasets", "InvalidDatasetError", "no zip")
    else:
        monkeypatch.setattr("httpx.Client.stream", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises((RafikiConnectionError, KeyboardInterrupt)):
        client.create_dataset("digits", "T", data, progress=True)
    err = capsys.readouterr().err
    assert err.rindex(HIDE_CURSOR) < err.rindex(SHOW_CURSOR)
