"""The command line against a real server: processes, as a shell starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rafiki.client import AsyncClient, Client
from tests.server_process import PASSWORD, TEMPLATES, ServerProcess

Rafiki = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def config_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@pytest.fixture(scope="module")
def rafiki(server: ServerProcess, config_home: Path) -> Rafiki:
    """`rafiki`, by which a model developer has signed in; it must not fail."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAFIKI_", "ADMIN_EXT_PORT"))}
    environment = {**kept, "XDG_CONFIG_HOME": str(config_home)}

    def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "rafiki.cli.main", *arguments],
            input=stdin, capture_output=True, text=True, env={**environment, **more}, timeout=100,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done

    there = ("--server", f"127.0.0.1:{server.port}")
    assert run("login", "--email", "superadmin@rafiki", *there, RAFIKI_PASSWORD=PASSWORD).returncode == 0
    assert run("user", "create", "ada@x", "--type", "MODEL_DEVELOPER", stdin="secret\n").returncode == 0
    assert run("login", "--email", "ada@x", *there, stdin="secret\n").returncode == 0
    return run


def answer(done: subprocess.CompletedProcess[str]) -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_a_file_to_a_prediction(rafiki: Rafiki, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("a,b\n1,2\n")
    dataset = answer(rafiki("dataset", "create", "data", str(data), "--task", "ANY", "--json"))
    assert (dataset["status"], dataset["size_bytes"]) == ("READY", 8)
    template = str(TEMPLATES / "Steps.py")
    model = answer(rafiki("model", "create", template, "--class", "Steps", "--task", "ANY", "--json"))
    assert model["status"] == "READY"

    start = ["train", "start", "app", "--train", "data", "--val", "data", "--model", "Steps", "--trials", "2"]
    done = rafiki(*start, "--watch")
    assert done.returncode == 0, done.stderr
    assert "app version 1 STOPPED: Steps 2 done, 0 running" in done.stdout
    (best,) = answer(rafiki("train", "best", "app", "--count", "1", "--json"))
    assert best["is_params_saved"]
    names = [row["name"] for row in answer(rafiki("trial", "params", best["id"], "--json"))]
    assert "weights" in names
    logs = answer(rafiki("logs", "app", "--json"))
    assert len(logs) == 2 and logs[0]["metrics"]

    done = rafiki("deploy", "start", "app")
    assert done.returncode == 0, done.stderr
    assert "POST queries to http://127.0.0.1:" in done.stdout
    status = answer(rafiki("status", "--json"))
    assert [(job["kind"], job["app"]) for job in status["jobs"]] == [("inference", "app")]
    predicted = answer(rafiki("predict", "app", "--query", '{"a": 1}', "--json"))
    assert predicted["query"] == {"a": 1}
    assert rafiki("train", "delete", "app", "--version", "1", "--yes").returncode == 1  # it is deployed
    assert rafiki("deploy", "stop", "app").returncode == 0

    assert rafiki("train", "delete", "app", "--version", "1", "--yes").returncode == 0
    assert rafiki("dataset", "delete", "data", "--yes").returncode == 0
    assert answer(rafiki("dataset", "list", "--json")) == []


def test_a_template_that_is_unusable_is_a_failure_that_says_why(rafiki: Rafiki) -> None:
    template = str(TEMPLATES / "Steps.py")
    done = rafiki("model", "create", template, "--class", "Abstract", "--task", "ANY")
    assert done.returncode == 1
    assert done.stderr.startswith("InvalidModelError: model 'Abstract' is unusable: ")


def test_a_token_for_scripts_signs_in_until_it_is_revoked(server: ServerProcess, rafiki: Rafiki) -> None:
    token = answer(rafiki("token", "create", "ci", "--days", "1", "--json"))
    there = f"http://127.0.0.1:{server.port}/"
    with Client(there, token=token["token"]) as client:
        assert client.get_current_user()["user_type"] == "MODEL_DEVELOPER"
        assert [one["name"] for one in client.get_tokens()] == ["ci"]
    anew = {"XDG_CONFIG_HOME": "/nowhere", "RAFIKI_TOKEN": token["token"]}
    done = rafiki("whoami", "--server", there, **anew)
    assert (done.returncode, "MODEL_DEVELOPER" in done.stdout) == (0, True)
    assert rafiki("token", "revoke", token["id"]).returncode == 0
    done = rafiki("whoami", "--server", there, **anew)
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "UnauthorizedError")


def test_disk_use_is_told(rafiki: Rafiki) -> None:
    assert answer(rafiki("user", "usage", "--json"))["total_bytes"] >= 0


async def test_programs_with_an_event_loop_do_the_same(server: ServerProcess, tmp_path: Path) -> None:
    server.user("MODEL_DEVELOPER", "async@x")
    data = tmp_path / "data.csv"
    data.write_bytes(b"a,b\n" + b"1,2\n" * 100_000)
    async with AsyncClient(f"http://127.0.0.1:{server.port}") as client:
        await client.login("async@x", "password")
        sent: list[int] = []
        dataset = await client.create_dataset("data", "ANY", data, progress=lambda n, n_all: sent.append(n))
        assert sent[-1] == data.stat().st_size
        assert (await client.wait_until_dataset_is_checked(dataset["id"], timeout=60))["status"] == "READY"
        model = await client.create_model("Steps", "ANY", TEMPLATES / "Steps.py", "Steps")
        budget = {"MODEL_TRIAL_COUNT": 1}
        await client.create_train_job("app", "ANY", dataset["id"], dataset["id"], budget, [model["id"]])
        seen: list[str] = []
        job = await client.wait_until_train_job_has_stopped(
            "app", timeout=60, progress=lambda job, trials: seen.append(job["status"])
        )
        assert job["status"] == seen[-1] == "STOPPED"
        await client.create_inference_job("app")
        await client.wait_until_inference_job_is_running("app", timeout=60)
        predictions = await client.predict("app", queries=[1, 2])
        assert [prediction["query"] for prediction in predictions] == [1, 2]
        await client.stop_inference_job("app")
