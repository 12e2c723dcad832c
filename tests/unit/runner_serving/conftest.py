"""A platform's rows and files without a server: a finished train job to serve, and serve runners as real processes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from rafiki import control
from rafiki.constants import InferenceJobStatus, TrainJobStatus
from rafiki.entities import InferenceJob, TrainJob
from rafiki.model.params import pack_params
from rafiki.settings import Settings
from rafiki.store import Store

#: Answers who it is, and the number that it was trained to.
TEMPLATE = """
import os
from rafiki.model import BaseModel, IntegerKnob

class Template(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"n": IntegerKnob(0, 9)}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._n = knobs["n"]

    def train(self, dataset_path, shared_params=None, **train_args):
        pass

    def evaluate(self, dataset_path):
        return 1.0

    def predict(self, queries):
        return [{"n": self._n, "threads": os.environ["OMP_NUM_THREADS"], "gpus": os.environ["CUDA_VISIBLE_DEVICES"]}
                for _ in queries]

    def dump_parameters(self):
        return {"n": self._n}

    def load_parameters(self, params):
        if params["n"] != self._n:
            raise ValueError("parameters of another trial")
"""


#: The address of an environment that is the tests' own interpreter.
ENVIRONMENT = "of-the-tests"


@dataclass
class Platform:
    settings: Settings
    store: Store
    user_id: str

    def add_model(self, name: str, source: str = TEMPLATE, environment: str = ENVIRONMENT) -> str:
        catalog = self.store.catalog
        source_hash = self.store.blobs.put_bytes(source.encode())
        model = catalog.create_model(self.user_id, name, "custom", "Template", None, "PRIVATE", None, source_hash)
        catalog.set_model_environment(model.id, environment, "lock")
        catalog.set_model_ready(model.id, "{}")
        return model.id

    def train(self, *trials: tuple[str, float], params_n: int | None = None) -> TrainJob:
        """A stopped train job with saved trials, given as model id and score; the first has n = 0, and so on."""
        dataset = self.store.catalog.create_dataset(self.user_id, "data", "custom", "0" * 64, 1)
        model_ids = list(dict.fromkeys(model_id for model_id, _ in trials))
        job = self.store.train_jobs.create(
            self.user_id, "app", "custom", dataset.id, dataset.id, {}, None, model_ids, seed=1
        )
        for n, (model_id, score) in enumerate(trials):
            trial = self.store.trials.start(job.id, job.epoch, model_id, n + 1, 1, "w", {"knobs": {"n": n}})
            params = pack_params({"n": n if params_n is None else params_n})
            self.store.trials.finish(trial.id, job.epoch, score, self.store.blobs.put_bytes(params))
        self.store.train_jobs.finish(job.id, job.epoch, TrainJobStatus.STOPPED)
        return job

    def deploy(self, train_job: TrainJob, **budget: Any) -> InferenceJob:
        def is_free(port: int) -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) != 0

        ports = self.settings.predictor_port_range
        return self.store.inference_jobs.create(self.user_id, train_job, budget, "127.0.0.1", ports, is_free)

    def job(self, job: InferenceJob) -> InferenceJob:
        current = self.store.inference_jobs.get(job.id)
        assert current is not None
        return current


@dataclass
class Runner:
    """A serve runner and the connection of its server."""

    process: asyncio.subprocess.Process
    connection: control.Connection
    platform: Platform
    inference_job: InferenceJob

    async def until_running(self) -> str:
        """The job's address, once it is `RUNNING`."""
        async with asyncio.timeout(20):
            while (job := self.platform.job(self.inference_job)).status != InferenceJobStatus.RUNNING:
                assert job.status == InferenceJobStatus.STARTED, job.error
                await asyncio.sleep(0.01)
        return job.predictor_host

    async def until_exit(self) -> int:
        async with asyncio.timeout(20):
            return await self.process.wait()

    async def status(self) -> list[dict[str, Any]]:
        self.connection.send({"type": "status"})
        answer = await asyncio.wait_for(self.connection.receive(), 10)
        assert answer is not None and answer["type"] == "status"
        members: list[dict[str, Any]] = answer["members"]
        return members

    async def until_all_ready(self) -> list[dict[str, Any]]:
        async with asyncio.timeout(20):
            while True:
                members = await self.status()
                if all(member["state"] == "ready" for member in members):
                    return members
                await asyncio.sleep(0.01)

    async def predict(self, query: Any) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            host = self.platform.job(self.inference_job).predictor_host
            return await client.post(f"http://{host}/predict", json={"query": query}, timeout=20)


Start = Callable[..., Awaitable[Runner]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


def _free_ports(n: int) -> str:
    """A range of ports that nobody listens at right now."""
    for first in range(21000, 29000, n):
        try:
            for port in range(first, first + n):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return f"{first}-{first + n - 1}"
    raise AssertionError("no free ports")


def _make_environment(folder: Path) -> None:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / "rafiki.lock").touch()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    settings = Settings(data_dir=tmp_path, predictor_ports=_free_ports(3), cores=4, gpus=3, confinement="off")
    _make_environment(settings.environments_dir / ENVIRONMENT)
    for folder in (settings.run_dir, settings.scratch_dir, settings.logs_dir):
        folder.mkdir(parents=True)
    store = Store.open(settings)
    store.slots.set_inventory(settings.cores, settings.gpu_indices)
    user = store.users.create("someone@rafiki", "hash", "APP_DEVELOPER")
    yield Platform(settings, store, user.id)
    store.close()


@pytest.fixture
async def start(platform: Platform) -> AsyncIterator[Start]:
    """`await start(job)`: the job's runner, as the supervisor starts it; killed after the test."""
    runners: list[Runner] = []

    async def start_runner(job: InferenceJob, epoch: int | None = None, **settings: Any) -> Runner:
        claimed = platform.store.jobs.claim(job.id)
        assert claimed is not None
        ready, child = os.pipe()
        arguments = ["--job-id", job.id, "--epoch", str(claimed.epoch if epoch is None else epoch)]
        text = platform.settings.model_copy(update=settings).for_runner()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rafiki.runner.serving", *arguments, "--settings", text, "--ready-fd", str(child),
            pass_fds=[child],
        )  # fmt: skip
        os.close(child)
        try:
            is_ready = await asyncio.to_thread(os.read, ready, 1)
        finally:
            os.close(ready)
        if not is_ready:
            await process.wait()
            raise RuntimeError("the runner ended before it listened")
        connection = await control.connect(control.control_path(platform.settings.run_dir, job.id))
        hello = await connection.receive()
        assert hello is not None and hello["epoch"] == claimed.epoch
        runner = Runner(process, connection, platform, job)
        runners.append(runner)
        return runner

    yield start_runner
    for runner in runners:
        runner.connection.close()
        if runner.process.returncode is None:
            runner.process.kill()
            await runner.process.wait()
