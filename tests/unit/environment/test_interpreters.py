"""Which interpreter a model gets, and that our part for workers runs on each that is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rafiki.environment import EnvironmentBuilder, find_environment
from rafiki.environment.interpreters import find_interpreter, own_interpreter, sorted_minors
from rafiki.errors import EnvironmentBuildError
from rafiki.executor import LocalExecutor, WorkerSpec
from rafiki.settings import Settings
from rafiki.worker.frames import Inspect, Inspected, Load, Predict, Predicted, Train, Trained
from tests.unit.environment.conftest import Told

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = [f"3.{minor}" for minor in range(7, 15) if f"3.{minor}" != HERE]
#: A template as they were written in 2019, which keeps arrays of several kinds.
TEMPLATE = """
import numpy as np
from rafiki.model import BaseModel, FixedKnob, FloatKnob, logger, utils
from rafiki.model.dev import test_model_class

class Old(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0.0, 1.0), "k": FixedKnob("k")}

    def __init__(self, **knobs):
        super(Old, self).__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, **kwargs):
        logger.define_plot("Loss", ["loss"])
        logger.log("training", loss=0.5)
        self._weights = np.arange(6.0).reshape(2, 3) * self._knobs["x"]

    def evaluate(self, dataset_path):
        return np.float32(0.25)

    def predict(self, queries):
        return [self._weights[0] for _ in queries]

    def dump_parameters(self):
        return {"weights": self._weights, "n": np.int64(3), "names": "a,b", "raw": b"raw"}

    def load_parameters(self, params):
        self._weights = params["weights"]
"""


async def test_the_servers_own_is_taken_where_none_is_asked_for_or_where_it_fits() -> None:
    own = own_interpreter()
    assert own.version.startswith(HERE)
    for version in (None, "", "3", HERE, own.version):
        assert await find_interpreter(version) == own
    assert HERE in sorted_minors()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("3.4", "models run on Python 3.7 or later"),
        ("2.7", "models run on Python 3.7 or later"),
        ("4.1", "this machine has none"),
        ("3.11.99", "this machine has none"),
        ("three", "no version of Python"),
    ],
)
async def test_what_is_not_there_is_named(version: str, message: str) -> None:
    with pytest.raises(EnvironmentBuildError, match=message) as caught:
        await find_interpreter(version)
    assert f"python {version} is declared" in caught.value.message
    assert "3.11" in caught.value.hint


async def test_a_program_that_is_no_interpreter_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho version 3.99 is not installed >&2; exit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentBuildError, match="this machine has none"):
        await find_interpreter("3.99")


@pytest.fixture(scope="module")
def real_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """At the index of this machine, with the cache that all tests share."""
    return Settings(data_dir=tmp_path_factory.mktemp("data"), gpus=0)


@pytest.fixture
def no_installer_settings() -> None:
    """This machine's own indexes are used here."""


@pytest.mark.parametrize("version", [HERE, *OTHERS])
async def test_workers_run_on_it(version: str, real_settings: Settings, tmp_path: Path) -> None:
    if version not in sorted_minors():
        pytest.skip(f"needs Python {version}")
    built = await EnvironmentBuilder(real_settings).build({"python": version}, Told())
    environment = find_environment(real_settings, built.address)
    scratch_dir = tmp_path / "scratch"
    scratch_dir.mkdir()
    (scratch_dir / "template").write_text(TEMPLATE)
    spec = WorkerSpec("w", environment, scratch_dir / "template", "Old", scratch_dir)
    executor = LocalExecutor()
    worker = await executor.start(spec)
    try:
        inspected = await worker.call(Inspect())
        assert isinstance(inspected, Inspected) and "FloatKnob" in inspected.knob_config
        params_path = str(scratch_dir / "params")
        knobs = {"x": 0.5, "k": "k"}
        trained = await worker.call(Train("t", knobs, "train", "val", params_path=params_path))
        assert isinstance(trained, Trained) and trained.score == 0.25
        await worker.call(Load(knobs, params_path))
        answer = await worker.call(Predict([1, "two"]))
        assert isinstance(answer, Predicted) and [list(one) for one in answer.predictions] == [[0, 0.5, 1.0]] * 2
    finally:
        await executor.close()
