"""Exclusive GPUs, of an injected inventory: with real runners, and workers that hold what they were given."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from rafiki.entities import Model, TrainJob, Trial
from rafiki.model.params import load_params
from tests.platform_parts import TEMPLATES, Parts, make_settings, running_parts


class GpuParts:
    """A platform with some GPUs, and the template that holds them."""

    def __init__(self, parts: Parts, folder: Path) -> None:
        self.parts = parts
        self.go = folder / "go"
        self._folder = folder
        for index in range(8):
            (folder / f"gpu-{index}").touch()

    def model(self) -> Model:
        return self.parts.add_model("Gpus", (TEMPLATES / "Gpus.py").read_bytes())

    def train(self, app: str, models: list[Model], waits: bool = False, **budget: Any) -> TrainJob:
        arguments = {"gpus": str(self._folder), "seconds": 0.02} | ({"wait_for_file": str(self.go)} if waits else {})
        return self.parts.add_train_job(models, {"MODEL_TRIAL_COUNT": 1} | budget, arguments, app)

    def trials(self, job: TrainJob) -> list[Trial]:
        return self.parts.store.trials.list(job.id)

    async def until_running(self, job: TrainJob) -> None:
        await self.parts.until(lambda: [trial for trial in self.trials(job) if trial.status == "RUNNING"])

    async def seen(self, job: TrainJob, model: Model | None = None) -> list[str]:
        """What each of a job's trials has seen as its GPUs, once the job has ended well."""
        ended = await self.parts.end_of(job)
        assert (ended.status, ended.error) == ("STOPPED", None)
        found = [
            load_params(self.parts.store.blobs.path(str(trial.params_hash)))
            for trial in self.trials(job)
            if trial.status == "COMPLETED" and (model is None or trial.model_id == model.id)
        ]
        assert all(params["visible"] == params["available"] for params in found)
        return [str(params["visible"]) for params in found]

    def leased(self) -> dict[int, str | None]:
        return {slot.index: slot.job_id for slot in self.parts.store.slots.list() if slot.kind == "gpu"}


@asynccontextmanager
async def platform_with(gpus: object, folder: Path) -> AsyncIterator[GpuParts]:
    async with running_parts(make_settings(folder, gpus=gpus)) as parts:
        yield GpuParts(parts, folder)


async def test_no_two_processes_ever_have_the_same_gpu(tmp_path: Path) -> None:
    """Two jobs take turns at the border of trials, and so do the models of each: nobody may find a GPU still held."""
    async with platform_with("1,3", tmp_path) as platform:
        models = [platform.model(), platform.model()]
        jobs = [platform.train(app, models, GPU_COUNT=2, MODEL_TRIAL_COUNT=4) for app in ("one", "two")]
        seen = [gpu for job in jobs for gpu in await platform.seen(job)]
        assert len(seen) == 16
        assert set(seen) == {"1", "3"}
        for job in jobs:
            assert [trial.error for trial in platform.trials(job) if trial.error] == []
        await platform.parts.until(lambda: set(platform.leased().values()) == {None})


async def test_a_model_without_gpus_sees_none_and_waits_for_none(tmp_path: Path) -> None:
    async with platform_with("2,", tmp_path) as platform:
        first = platform.train("first", [platform.model()], waits=True, GPU_COUNT=1)
        await platform.until_running(first)
        on_gpu, on_cores = platform.model(), platform.model()
        second = platform.train("second", [on_gpu, on_cores], GPU_COUNT=1)
        await platform.parts.until(lambda: [one for one in platform.trials(second) if one.status == "COMPLETED"])
        assert [trial.status for trial in platform.trials(first)] == ["RUNNING"]
        platform.go.touch()
        assert await platform.seen(first) == ["2"]
        assert await platform.seen(second, on_cores) == ["-1"]
        assert await platform.seen(second, on_gpu) == ["2"]


async def test_the_gpus_of_a_killed_runner_come_back(tmp_path: Path) -> None:
    async with platform_with(1, tmp_path) as platform:
        killed = platform.train("killed", [platform.model()], waits=True, GPU_COUNT=1)
        await platform.until_running(killed)
        waiting = platform.train("waiting", [platform.model()], GPU_COUNT=1)
        store = platform.parts.store
        await platform.parts.until(lambda: store.slots.waiting("gpu") == [waiting.id])
        process = store.jobs.get_process(killed.id)
        assert process is not None and process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        assert await platform.seen(waiting) == ["0"]
        platform.go.touch()
        assert await platform.seen(killed) == ["0"]
        assert sorted(trial.attempt for trial in platform.trials(killed)) == [1, 2]
        await platform.parts.until(lambda: platform.leased() == {0: None})


async def test_members_hold_their_gpus_until_the_job_is_stopped(tmp_path: Path) -> None:
    async with platform_with("0,2", tmp_path) as platform:
        parts = platform.parts
        model = platform.model()
        trained = platform.train("app", [model], MODEL_TRIAL_COUNT=2)
        assert await platform.seen(trained) == ["-1", "-1"]
        deployed = parts.add_inference_job(trained, {"GPU_COUNT": 1})

        def is_running() -> bool:
            now = parts.store.inference_jobs.get(deployed.id)
            assert now is not None and now.error is None
            return now.status == "RUNNING"

        await parts.until(is_running)
        assert platform.leased() == {0: deployed.id, 2: None}
        async with httpx.AsyncClient() as client:  # the best member answers
            answer = await client.post(f"http://{deployed.predictor_host}/predict", json={"query": 1}, timeout=20)
        assert answer.json()["prediction"] == "0"
        other = platform.train("other", [model], GPU_COUNT=2, MODEL_TRIAL_COUNT=3)
        assert await platform.seen(other) == ["2", "2", "2"]

        assert parts.store.inference_jobs.stop(deployed.id)
        await parts.supervisor.stop_job(deployed.id)
        assert platform.leased() == {0: None, 2: None}
        last = platform.train("last", [model], GPU_COUNT=2, MODEL_TRIAL_COUNT=4)
        assert set(await platform.seen(last)) == {"0", "2"}
