"""Members that are real worker processes of small templates, without any framework."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from rafiki.environment import Environment, worker_part
from rafiki.executor import LocalExecutor, Worker, WorkerSpec
from rafiki.model.params import save_params
from rafiki.predictor import Ensemble, MemberPlan, PredictorApp, PredictorServer, ServingPolicy, listen
from rafiki.tasks import get_task
from rafiki.worker.frames import Load

#: A template that does as its queries say: {"sleep": s}, {"raise": text}, {"die": 1}, or is anything else.
TEMPLATE = """
import os, signal, time
from rafiki.model import BaseModel, FixedKnob

class Template(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"name": FixedKnob("a")}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._name = knobs["name"]

    def train(self, dataset_path, shared_params=None, **train_args):
        pass

    def evaluate(self, dataset_path):
        return 1.0

    def predict(self, queries):
        if os.path.exists(os.path.join(FOLDER, self._name + ".hang")):
            time.sleep(60)
        return [self._predict_one(query, len(queries)) for query in queries]

    def _predict_one(self, query, n):
        if isinstance(query, dict) and query.get("only", self._name) == self._name:
            if "sleep" in query:
                time.sleep(query["sleep"])
            if "raise" in query:
                raise ValueError(query["raise"])
            if "die" in query:
                os.kill(os.getpid(), signal.SIGKILL)
        return {"by": self._name, "pid": os.getpid(), "n": n, "query": query}

    def dump_parameters(self):
        return {}

    def load_parameters(self, params):
        if os.path.exists(os.path.join(FOLDER, self._name + ".broken")):
            raise RuntimeError("these parameters are broken")
"""

#: Answers images with probabilities that depend on their mean.
IMAGE_TEMPLATE = TEMPLATE.replace(
    'return {"by": self._name, "pid": os.getpid(), "n": n, "query": query}',
    "return [float(query.mean()) / 255, float(query.shape[0]), len(self._name)]",
)


@dataclass
class Predictor:
    url: str
    ensemble: Ensemble
    client: httpx.AsyncClient
    folder: Path

    async def post(self, **body: Any) -> httpx.Response:
        return await self.client.post("/predict", json=body)

    async def predict(self, query: Any) -> Any:
        response = await self.post(query=query)
        assert response.status_code == 200, response.text
        return response.json()["prediction"]

    def touch(self, name: str) -> None:
        (self.folder / name).touch()

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()


Serve = Callable[..., Awaitable[Predictor]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that serve runners use."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(Path(sys.executable), worker_part(tmp_path_factory.mktemp("platform")))


@pytest.fixture
async def serve(tmp_path: Path, environment: Environment) -> AsyncIterator[Serve]:
    """`serve("a", "b")`: a predictor over HTTP with members of these names, open; closed after the test."""
    async with AsyncExitStack() as stack:

        async def start(
            *names: str,
            task: str = "custom",
            source: str = TEMPLATE,
            wait: bool = True,
            labels: list[str] | None = None,
            **policy: Any,
        ) -> Predictor:
            executor = LocalExecutor()
            stack.push_async_callback(executor.close)
            model_path, params_path = tmp_path / "template.py", tmp_path / "params"
            model_path.write_text(f"FOLDER = {str(tmp_path)!r}\n{source}")
            save_params(params_path, {})
            plans = [_plan(executor, environment, tmp_path, name) for name in names]
            numbers = ServingPolicy(first_restart_delay_s=0.05, **policy)
            ensemble = Ensemble(get_task(task), plans, numbers)
            listener = listen("127.0.0.1", 0)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            app = PredictorApp("The predictor", get_task(task), ensemble, numbers, labels)
            server = PredictorServer(app, listener)
            await server.start()
            opening = asyncio.create_task(ensemble.open())
            stack.push_async_callback(ensemble.close)
            stack.push_async_callback(server.stop)
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))
            if wait:
                assert await opening
                await all_ready(ensemble)
            else:
                stack.push_async_callback(_cancel, opening)
            return Predictor(url, ensemble, client, tmp_path)

        yield start


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _plan(executor: LocalExecutor, environment: Environment, folder: Path, name: str) -> MemberPlan:
    numbers = itertools.count(1)

    async def start() -> Worker:
        scratch_dir = folder / f"{name}-{next(numbers)}"
        scratch_dir.mkdir()
        return await executor.start(WorkerSpec(name, environment, folder / "template.py", "Template", scratch_dir))

    return MemberPlan(f"Model {name}", f"trial-{name}", Load({"name": name}, str(folder / "params")), start)


async def all_ready(ensemble: Ensemble) -> None:
    """Return when every member is ready (again)."""
    async with asyncio.timeout(20):
        await asyncio.gather(*(member.ready.wait() for member in ensemble.members))
