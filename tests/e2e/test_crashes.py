"""What is left, and what goes on, when the server ends in one way or another."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

from tests.server_process import PASSWORD, ServerProcess, Until, Work


@pytest.fixture
def work(own_server: ServerProcess, tmp_path: Path) -> Work:
    return Work(own_server.client(), tmp_path)


def test_a_killed_server_interrupts_neither_a_trial_nor_a_prediction_and_the_next_adopts_them(
    own_server: ServerProcess, work: Work, tmp_path: Path, until: Until
) -> None:
    model, go = work.model(), tmp_path / "go"
    work.ended_train_job("served", [model])
    work.client.create_inference_job("served")
    host = work.client.wait_until_inference_job_is_running("served", timeout=60)["predictor_host"]
    work.train_job("running", [model], {"wait_for_file": str(go)})
    until(lambda: work.client.get_trials_of_train_job("running"))
    before = httpx.post(f"http://{host}/predict", json={"query": 1}).json()["prediction"]["process"]
    runners = {pid for pid, command in own_server.processes().items() if "rafiki.runner" in command}

    failures: list[Exception] = []
    is_over = threading.Event()

    def ask_all_the_time() -> None:
        while not is_over.is_set():
            try:
                httpx.post(f"http://{host}/predict", json={"query": 1}, timeout=10).raise_for_status()
            except httpx.HTTPError as error:
                failures.append(error)

    asking = threading.Thread(target=ask_all_the_time)
    asking.start()
    own_server.stop(signal.SIGKILL)
    own_server.start()
    go.touch()
    job = own_server.client().wait_until_train_job_has_stopped("running", timeout=60)
    is_over.set()
    asking.join()

    assert failures == []
    assert job["status"] == "STOPPED"
    (trial,) = own_server.client().get_trials_of_train_job("running")  # the same attempt: it was not interrupted
    assert (trial["status"], trial["attempt"]) == ("COMPLETED", 1)
    after = httpx.post(f"http://{host}/predict", json={"query": 1}).json()["prediction"]["process"]
    assert after == before
    assert {pid for pid, command in own_server.processes().items() if "rafiki.runner" in command} <= runners
    own_server.client().stop_inference_job("served")  # the adopted runner obeys
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{host}/")


def test_an_orderly_stop_leaves_no_process_and_the_next_start_resumes_at_the_same_address(
    own_server: ServerProcess, work: Work, tmp_path: Path, until: Until
) -> None:
    model, go = work.model(), tmp_path / "go"
    work.ended_train_job("served", [model])
    work.client.create_inference_job("served")
    host = work.client.wait_until_inference_job_is_running("served", timeout=60)["predictor_host"]
    work.train_job("running", [model], {"wait_for_file": str(go)})
    until(lambda: work.client.get_trials_of_train_job("running"))
    assert own_server.stop(signal.SIGINT) == 0
    assert own_server.processes() == {}

    own_server.start()
    client = own_server.client()
    assert client.wait_until_inference_job_is_running("served", timeout=60)["predictor_host"] == host
    until(lambda: _answers(host))
    go.touch()
    assert client.wait_until_train_job_has_stopped("running", timeout=60)["status"] == "STOPPED"
    second, first = client.get_trials_of_train_job("running")
    assert (first["no"], first["status"], first["error"]["code"]) == (1, "ERRORED", "INTERRUPTED")
    assert (second["no"], second["attempt"], second["status"]) == (1, 2, "COMPLETED")


def test_a_server_stopped_for_an_upgrade_leaves_its_jobs_running(
    own_server: ServerProcess, work: Work, tmp_path: Path, until: Until
) -> None:
    own_server.stop()
    own_server.start("--leave-running")
    work = Work(own_server.client(), tmp_path)
    go = tmp_path / "go"
    work.train_job("running", [work.model()], {"wait_for_file": str(go)})
    until(lambda: work.client.get_trials_of_train_job("running"))
    assert own_server.stop() == 0
    assert any("rafiki.runner.tuning" in command for command in own_server.processes().values())
    go.touch()
    until(lambda: own_server.processes() == {})  # the job ends by itself, with no server
    own_server.start()
    assert own_server.client().get_train_job("running")["status"] == "STOPPED"


def test_a_killed_serve_runner_is_back_at_its_address(own_server: ServerProcess, work: Work, until: Until) -> None:
    work.ended_train_job("served", [work.model()])
    work.client.create_inference_job("served")
    host = work.client.wait_until_inference_job_is_running("served", timeout=60)["predictor_host"]
    (pid,) = [pid for pid, command in own_server.processes().items() if "rafiki.runner.serving" in command]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    until(lambda: _answers(host))
    assert work.client.get_running_inference_job("served")["predictor_host"] == host


def test_the_superadmins_password_is_kept_from_the_first_start(own_server: ServerProcess) -> None:
    own_server.stop()
    own_server.start()
    assert own_server.client("SuperAdmin@Rafiki", PASSWORD).get_current_user()["user_type"] == "SUPERADMIN"


def _answers(host: str) -> bool:
    try:
        return httpx.post(f"http://{host}/predict", json={"query": 1}).status_code == 200
    except httpx.HTTPError:
        return False
