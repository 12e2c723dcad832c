"""The serve runner as a process: from rows to answers, and every way in which it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from rafiki.constants import InferenceJobStatus
from rafiki.entities import FailureCode
from tests.unit.runner_serving.conftest import TEMPLATE, Platform, Start


async def test_the_best_of_each_model_answer_until_they_are_told_to_stop(platform: Platform, start: Start) -> None:
    good, better = platform.add_model("Good"), platform.add_model("Better")
    train_job = platform.train((good, 0.5), (good, 0.7), (better, 0.9), (better, 0.8))
    job = platform.deploy(train_job, GPU_COUNT=3)
    runner = await start(job)
    host = await runner.until_running()
    assert host == job.predictor_host
    members = await runner.until_all_ready()
    assert [member["name"] for member in members] == ["Better", "Good"]

    response = await runner.predict("q")
    assert response.headers["Rafiki-Members"] == "2/2; Better, Good"
    # A custom task's answer is its best member's; GPUs go round, the best first; cores are shared out.
    assert response.json() == {"prediction": {"n": 2, "threads": "2", "gpus": "0,2"}, "predictions": []}
    async with httpx.AsyncClient() as client:
        assert "is up" in (await client.get(f"http://{host}/")).text

    os.kill(members[0]["pid"], signal.SIGKILL)
    assert (await runner.predict("q")).status_code == 200
    again = await runner.until_all_ready()
    assert again[0]["pid"] != members[0]["pid"]
    assert [member["n_restarts"] for member in again] == [1, 0]

    runner.connection.send({"type": "stop"})
    assert await runner.until_exit() == 0
    assert not any(_is_alive(member["pid"]) for member in again)
    assert platform.job(job).status == InferenceJobStatus.RUNNING  # its row is the server's to settle


async def test_a_job_none_of_whose_members_can_load_ends(platform: Platform, start: Start) -> None:
    broken = platform.add_model("Broken")
    lacking = platform.add_model("Lacking", environment="removed")
    job = platform.deploy(platform.train((broken, 0.5), (lacking, 0.4), params_n=77))
    runner = await start(job)
    assert await runner.until_exit() == 0
    ended = platform.job(job)
    assert ended.status == InferenceJobStatus.ERRORED
    assert ended.datetime_stopped is not None
    assert ended.error is not None
    assert ended.error.code == FailureCode.NO_MEMBERS
    assert "Broken: " in ended.error.message and "parameters of another trial" in ended.error.message
    assert "Lacking: " in ended.error.message and "environment removed is not there" in ended.error.message


async def test_neither_a_broken_member_nor_a_taken_port_keeps_others_from_answering(
    platform: Platform, start: Start
) -> None:
    good = platform.add_model("Good")
    broken = platform.add_model("Broken", TEMPLATE.replace('params["n"] != self._n', "True"))
    job = platform.deploy(platform.train((broken, 0.9), (good, 0.5)))
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", job.predictor_port))
        stranger.listen()
        runner = await start(job)
        assert await runner.until_running() == f"127.0.0.1:{job.predictor_port + 1}"
    response = await runner.predict("q")
    assert response.headers["Rafiki-Members"] == "1/2; Good"


async def test_it_answers_again_at_the_same_address_after_it_was_killed(platform: Platform, start: Start) -> None:
    job = platform.deploy(platform.train((platform.add_model("M"), 0.5)))
    first = await start(job)
    host = await first.until_running()
    pids = [member["pid"] for member in await first.until_all_ready()]
    first.process.kill()
    await first.until_exit()
    async with asyncio.timeout(5):
        while any(_is_alive(pid) for pid in pids):
            await asyncio.sleep(0.01)
    second = await start(job)
    assert await second.until_running() == host
    assert (await second.predict("q")).status_code == 200
    second.connection.send({"type": "suspend"})
    assert await second.until_exit() == 0
    assert platform.job(job).status == InferenceJobStatus.RUNNING


async def test_where_every_port_is_taken_the_job_ends(platform: Platform, start: Start) -> None:
    job = platform.deploy(platform.train((platform.add_model("M"), 0.5)))
    strangers = [socket.socket() for _ in platform.settings.predictor_port_range]
    try:
        for stranger, port in zip(strangers, platform.settings.predictor_port_range, strict=True):
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
        assert await (await start(job)).until_exit() == 0
    finally:
        for stranger in strangers:
            stranger.close()
    ended = platform.job(job)
    assert ended.status == InferenceJobStatus.ERRORED
    assert ended.error is not None and ended.error.code == FailureCode.PORT_TAKEN


async def test_a_runner_of_an_earlier_epoch_ends_at_once(platform: Platform, start: Start) -> None:
    job = platform.deploy(platform.train((platform.add_model("M"), 0.5)))
    with pytest.raises(RuntimeError, match="ended before it listened"):
        await start(job, epoch=0)
    assert platform.job(job).status == InferenceJobStatus.STARTED


async def test_stop_while_a_member_still_loads(platform: Platform, start: Start) -> None:
    slow = TEMPLATE.replace("if params", "import time; time.sleep(60)\n        if params")
    runner = await start(platform.deploy(platform.train((platform.add_model("Slow", slow), 0.5))))
    runner.connection.send({"type": "stop"})
    async with asyncio.timeout(4):
        assert await runner.until_exit() == 0


async def test_without_a_server_it_goes_on_for_the_grace_and_then_ends(platform: Platform, start: Start) -> None:
    job = platform.deploy(platform.train((platform.add_model("M"), 0.5)))
    runner = await start(job, server_grace_s=0.5)
    await runner.until_running()
    runner.connection.close()
    assert (await runner.predict("q")).status_code == 200
    assert await runner.until_exit() == 0
    assert platform.job(job).status == InferenceJobStatus.RUNNING


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
