"""Real workers, each with a template written by its test."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from rafiki.environment import Environment, worker_part
from rafiki.executor import LocalExecutor, Worker, WorkerSpec

BODY = {
    "train": "pass",
    "evaluate": "return 0.5",
    "predict": "return [[0.25, 0.75] for _ in queries]",
    "dump_parameters": 'return {"answer": 42}',
    "load_parameters": "pass",
    "destroy": "pass",
}
SIGNATURES = {
    "train": "self, path, shared_params=None, **train_args",
    "evaluate": "self, path",
    "predict": "self, queries",
    "dump_parameters": "self",
    "load_parameters": "self, params",
    "destroy": "self",
}


def template_source(top: str = "", **bodies: str) -> str:
    """A template `MyModel` whose methods have these bodies."""
    lines = [
        "import logging, os, signal, sys, threading, time",
        "import numpy as np",
        "from rafiki.model import BaseModel, FloatKnob, dataset, logger, utils",
        *top.splitlines(),
        "class MyModel(BaseModel):",
        "    @staticmethod",
        "    def get_knob_config():",
        '        return {"x": FloatKnob(0, 1)}',
        "    @staticmethod",
        "    def teardown():",
        f"        {bodies.pop('teardown', 'pass')}",
    ]
    for name, body in {**BODY, **bodies}.items():
        lines.append(f"    def {name}({SIGNATURES[name]}):")
        lines += [f"        {line}" for line in body.splitlines()]
    return "\n".join(lines) + "\n"


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Calls are tested on both of the loops that runners use."""
    if item.path.name == "test_calls.py":
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(Path(sys.executable), worker_part(tmp_path_factory.mktemp("data")))


@pytest.fixture
async def start(tmp_path: Path, environment: Environment) -> AsyncIterator[Callable[..., Awaitable[Worker]]]:
    """`await start(train="...", ...)`: a worker of a template with these methods."""
    executor = LocalExecutor()
    numbers = itertools.count(1)

    async def start_worker(source: str | None = None, gpus: tuple[int, ...] = (), **parts: str) -> Worker:
        scratch_dir = tmp_path / f"scratch-{next(numbers)}"
        scratch_dir.mkdir()
        model_path = scratch_dir / "template"
        model_path.write_text(source if source is not None else template_source(**parts))
        spec = WorkerSpec(scratch_dir.name, environment, model_path, "MyModel", scratch_dir, gpus=gpus)
        return await executor.start(spec)

    yield start_worker
    await executor.close()
