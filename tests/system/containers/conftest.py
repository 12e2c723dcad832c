"""Real workers in containers of each engine, each with a template written by its test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from rafiki.environment import Environment, worker_part
from rafiki.executor import Worker, WorkerSpec
from rafiki.executor.container import ContainerExecutor
from tests.containers import WORKER_IMAGE, Engine
from tests.unit.executor.conftest import template_source


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name == "test_calls.py":
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session", params=["podman", "docker"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Environment:
    return Environment(Path("python3"), worker_part(tmp_path_factory.mktemp("data")), engine.id_of(WORKER_IMAGE))


@pytest.fixture
async def start(
    tmp_path: Path, environment: Environment, engine: Engine
) -> AsyncIterator[Callable[..., Awaitable[Worker]]]:
    """`await start(train="...", ...)`: a worker of a template with these methods."""
    executor = ContainerExecutor(engine.address)
    numbers = itertools.count(1)

    async def start_worker(source: str | None = None, gpus: tuple[int, ...] = (), **parts: str) -> Worker:
        number = next(numbers)
        scratch_dir, given_dir = tmp_path / f"scratch-{number}", tmp_path / f"given-{number}"
        for folder in (scratch_dir, given_dir):
            folder.mkdir()
        model_path = given_dir / "template"
        model_path.write_text(source if source is not None else template_source(**parts))
        return await executor.start(
            # These tests' files lie beside the worker's own: it can write there as to its cache.
            WorkerSpec(f"w{number}", environment, model_path, "MyModel", scratch_dir, cache_dir=tmp_path, gpus=gpus)
        )

    yield start_worker
    await executor.close()
    assert engine.containers() == []
