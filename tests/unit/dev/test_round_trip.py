"""Instances that come out of storage, against those that went in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.dev.new_process import Source, predict_in_new_process
from rafiki.dev.round_trip import RoundTrip, first_difference
from rafiki.entities import FailureCode
from rafiki.tasks import get_task
from rafiki.worker.failures import TrialFailed

TEMPLATE = """\
import os
import random
import sys

import numpy as np

from rafiki.model import BaseModel


class Model(BaseModel):
    @staticmethod
    def get_knob_config():
        return {}

    def train(self, dataset_path, shared_params=None):
        self.weights = np.ones(3)

    def evaluate(self, dataset_path):
        return 1.0

    def predict(self, queries):
        return [PREDICT for query in queries]

    def dump_parameters(self):
        return {"weights": self.weights}

    def load_parameters(self, params):
        self.weights = LOAD
"""


def round_trip(
    folder: Path, predict: str, load: str = 'params["weights"]', queries: list[Any] | None = None
) -> RoundTrip:
    """The round trip of a trained instance, checked."""
    path = folder / "Model.py"
    path.write_text(TEMPLATE.replace("PREDICT", predict).replace("LOAD", load))
    source = Source(path, "Model")
    model = source.load()()
    model.train("")
    trip = RoundTrip(source, source.load(), get_task("my-task"), ["a", "b"] if queries is None else queries)
    trip.look(model)
    trip.check({}, model.dump_parameters())
    return trip


@pytest.mark.parametrize("predict", ["[self.weights, query]", 'query.setdefault("seen", 1)'])
def test_the_same_predictions(tmp_path: Path, predict: str) -> None:
    """Also where the template changes the queries that it gets."""
    assert round_trip(tmp_path, predict, queries=[{"x": 1.5}]).is_compared


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_numbers_may_differ_by_rounding(scale: float) -> None:
    expected = [[0.1 * scale, 0.9 * scale], {"a": scale, "b": [None, "x", 3, True]}]
    rounded = [[0.1 * scale, 0.9005 * scale], {"a": scale * 1.0005, "b": [None, "x", 3, True]}]
    assert first_difference(expected, rounded) is None
    for i, other in enumerate([[0.12 * scale, 0.9 * scale], {**rounded[1], "a": 1.01 * scale}]):  # type: ignore[dict-item]
        assert first_difference(expected, [*rounded[:i], other, *rounded[i + 1 :]]) == i


@pytest.mark.parametrize(
    ("one", "other"),
    [(3, 4), (10_000, 10_001), ("a", "b"), ([1.0], [1.0, 1.0]), ({"a": 1.0}, {"b": 1.0}), (None, 0.0), (1.0, "1.0")],
)
def test_nothing_else_may_differ(one: Any, other: Any) -> None:
    assert first_difference([one], [other]) == 0


def test_without_queries_loading_alone_is_tried(tmp_path: Path) -> None:
    assert not round_trip(tmp_path, "1", queries=[]).is_compared
    with pytest.raises(TrialFailed, match="`load_parameters` fails on a new instance in a new process: KeyError"):
        round_trip(tmp_path, "1", load='params["bias"]', queries=[])


def test_predictions_by_chance_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not round_trip(tmp_path, "random.random()").is_compared
    assert "Warning: `predict` answers the same queries differently each time" in capsys.readouterr().out


def test_what_only_predicts_once_loaded_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not round_trip(tmp_path, "float(self.loaded[0])", 'self.loaded = params["weights"]').is_compared
    assert "works on an instance that was loaded, but fails on the trained one" in capsys.readouterr().out


def test_a_new_process_has_this_ones_modules_and_arrays_and_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "modules")])
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "beside.py").write_text("here = 1")
    path = tmp_path / "Model.py"
    predict = '[os.getpid(), os.getcwd(), __import__("beside").here, query.dtype.name, query.shape[0]]'
    path.write_text(TEMPLATE.replace("PREDICT", predict).replace("LOAD", "1"))
    images = [np.zeros((4, 5, 3), np.uint8), np.zeros((600, 600, 3), np.uint8)]
    answers = predict_in_new_process(Source(path, "Model"), {}, {}, [images])
    assert answers.failure is None
    ((small, large),) = answers.batches
    assert (small[2:], large[2:]) == ([1, "uint8", 4], [1, "uint8", 600])
    assert small[0] != os.getpid()
    assert small[1] != str(Path.cwd())


@pytest.mark.parametrize(
    ("load", "code", "told"),
    [
        ("os._exit(3)", FailureCode.EXITED, "the process ended with exit code 3"),
        ("os.abort()", FailureCode.KILLED, "the process was killed by SIGABRT"),
        ("sys.exit(3)", FailureCode.EXCEPTION, "SystemExit: 3"),
    ],
)
def test_the_end_of_the_new_process_is_told(tmp_path: Path, load: str, code: str, told: str) -> None:
    with pytest.raises(TrialFailed, match=told) as caught:
        round_trip(tmp_path, "1", load)
    assert caught.value.failure.code == code
