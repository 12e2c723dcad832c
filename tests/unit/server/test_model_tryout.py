"""A template's small trial on generated data, with real workers on the tests' own interpreter."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rafiki.environment import Environment, worker_part
from rafiki.executor import Allowance, LocalExecutor, WorkerSpec
from rafiki.model import FloatKnob, PolicyKnob, serialize_knob_config
from rafiki.server.model_tryout import try_out
from rafiki.settings import Settings
from rafiki.tasks import get_task

KNOBS = serialize_knob_config({"x": FloatKnob(0, 1), "quick": PolicyKnob("EARLY_STOP")})
SOURCE = """
import time
import numpy as np
from rafiki.model import BaseModel, FloatKnob, PolicyKnob, dataset

class Template(BaseModel):
    @staticmethod
    def get_knob_config():
        return {{"x": FloatKnob(0, 1), "quick": PolicyKnob("EARLY_STOP")}}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        assert 0 <= knobs["x"] <= 1 and knobs["quick"] is True

    def train(self, path, shared_params=None, **train_args):
        self._read = {read}

    def evaluate(self, path):
        return 0.5

    def predict(self, queries):
        return {predictions}

    def dump_parameters(self):
        return {{"n": 1}}

    def load_parameters(self, params):
        assert params == {{"n": 1}}
"""
IMAGES = "dataset.load_dataset_of_image_files(path)"
TryOut = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def tried(tmp_path: Path) -> AsyncIterator[TryOut]:
    executor = LocalExecutor()
    environment = Environment(Path(sys.executable), worker_part(tmp_path))
    settings = Settings(data_dir=tmp_path)

    async def run(task: str, read: str = "None", predictions: str = "None", limit_s: float = 30.0) -> list[str]:
        scratch_dir, examples_dir = tmp_path / "scratch", tmp_path / "examples"
        for folder in (scratch_dir, examples_dir):
            folder.mkdir()
        model_path = tmp_path / "template"
        model_path.write_text(SOURCE.format(read=read, predictions=predictions))
        allowance = Allowance.of(settings, "m", examples_dir)
        spec = WorkerSpec("w", environment, model_path, "Template", scratch_dir, allowance=allowance)
        worker = await executor.start(spec)
        return await try_out(worker, examples_dir, task, KNOBS, limit_s)

    yield run
    await executor.close()


@pytest.mark.parametrize(
    ("task", "read", "predictions"),
    [
        ("IMAGE_CLASSIFICATION", IMAGES, "[[0.2, 0.3, 0.5] for _ in queries]"),
        ("POS_TAGGING", "list(dataset.load_dataset_of_corpus(path))", "[[0] * len(query) for query in queries]"),
        ("TABULAR_CLASSIFICATION", "None", "[[0.5, 0.5] for query in queries if set(query) > {'width', 'colour'}]"),
        ("TABULAR_REGRESSION", "None", "[1.5 for _ in queries]"),
        ("A_CUSTOM_TASK", "1 / 0", "None"),
    ],
)
async def test_what_works_gets_no_warning(tried: TryOut, task: str, read: str, predictions: str) -> None:
    assert await tried(task, read, predictions) == []


@pytest.mark.parametrize(
    ("read", "predictions", "warning"),
    [
        ("1 / 0", "None", "EXCEPTION.*division by zero"),
        (IMAGES, "None", "BAD_PREDICTIONS"),
        (IMAGES, "[[2.0, 0.0] for _ in queries]", "wrong prediction.*probability"),
        ("__import__('os')._exit(3)", "None", "EXITED"),
    ],
)
async def test_what_goes_wrong_is_a_warning(tried: TryOut, read: str, predictions: str, warning: str) -> None:
    (found,) = await tried("IMAGE_CLASSIFICATION", read, predictions)
    assert found.startswith("Tried out on a tiny generated dataset")
    assert re.search(warning, found), found


async def test_it_has_a_time_limit(tried: TryOut) -> None:
    (found,) = await tried("IMAGE_CLASSIFICATION", "time.sleep(1000)", limit_s=1.0)
    assert "given up after 1 s" in found


@pytest.mark.parametrize(
    "task_name", ["IMAGE_CLASSIFICATION", "POS_TAGGING", "TABULAR_CLASSIFICATION", "TABULAR_REGRESSION"]
)
def test_the_generated_datasets_are_of_their_task(task_name: str, tmp_path: Path) -> None:
    task, path = get_task(task_name), str(tmp_path / "example")
    assert task.write_example(path)
    task.check_dataset(path)
    assert len(list(task.iterate(path))) > 20
