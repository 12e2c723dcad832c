"""The starter models learn, survive storage, and answer whatever they are asked in their task's format."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.advisor import RandomAdvisor
from rafiki.model import BaseModel, load_model_class
from rafiki.model.dev import test_model_class
from rafiki.model.params import pack_params, unpack_params
from rafiki.starters import STARTERS, Starter
from rafiki.tasks import get_task
from rafiki.worker.trial import run_trial

Paths = dict[str, dict[str, str]]
TRAIN_ARGS = {
    "TABULAR_CLASSIFICATION": {"target": "target"},
    "TABULAR_REGRESSION": {"target": "target"},
}
LEAST_SCORE = {
    "IMAGE_CLASSIFICATION": 0.9,
    "TABULAR_CLASSIFICATION": 0.8,
    "TABULAR_REGRESSION": 0.8,
    "POS_TAGGING": 0.99,
}


def each(task: str) -> Any:
    chosen = [starter for starter in STARTERS if starter.task == task]
    return pytest.mark.parametrize("starter", chosen, ids=lambda starter: starter.name)


def train(starter: Starter, paths: dict[str, str], n_trials: int = 3) -> BaseModel:
    """The best of a few trials with knobs from all over their ranges, loaded from its stored parameters."""
    model_class: Any = load_model_class(starter.path.read_bytes(), starter.name)
    advisor = RandomAdvisor(model_class.get_knob_config(), {"MODEL_TRIAL_COUNT": n_trials}, seed=1)
    trials = []
    for no in range(1, n_trials + 1):
        proposal = advisor.propose("worker", no)
        assert proposal is not None
        outcome = run_trial(model_class, proposal.knobs, **_paths(paths), train_args=TRAIN_ARGS.get(starter.task))
        assert outcome.score is not None
        trials.append((outcome.score, proposal.knobs, outcome.params))
    score, knobs, params = max(trials, key=lambda trial: trial[0])
    assert score >= LEAST_SCORE[starter.task]
    model: BaseModel = model_class(**knobs)
    model.load_parameters(unpack_params(pack_params(params)))
    assert model.evaluate(paths["val"]) == pytest.approx(score)
    return model


def _paths(paths: dict[str, str]) -> dict[str, str]:
    return {"train_path": paths["train"], "val_path": paths["val"]}


def answers(starter: Starter, model: BaseModel, queries: list[Any]) -> list[Any]:
    """Its predictions, checked, which are the same whether queries come together or one by one."""
    task = get_task(starter.task)
    decoded = [task.decode_query(query) for query in queries]
    together = model.predict(decoded)
    for query, prediction in zip(decoded, together, strict=True):
        assert task.check_prediction(query, prediction) == prediction
        assert np.allclose(model.predict([query])[0], prediction)
    assert model.predict([]) == []
    return together


@each("IMAGE_CLASSIFICATION")
def test_images(starter: Starter, tiny: Paths) -> None:
    model = train(starter, tiny[starter.task])
    upright = np.zeros((20, 30, 3), np.uint8)
    upright[:, 12:16] = 255
    probabilities = answers(starter, model, [upright, upright[:, :, 0], np.full((1, 1, 3), 128, np.uint8)])
    assert {len(one) for one in probabilities} == {4}  # a place for class 2, too
    assert np.allclose(np.sum(probabilities, axis=1), 1)
    assert np.argmax(probabilities[0]) == 0


@each("TABULAR_CLASSIFICATION")
def test_classes_of_rows(starter: Starter, tiny: Paths) -> None:
    model = train(starter, tiny[starter.task])
    high = {"x": 0.9, "colour": "red", "noise": 0.1, "always": 1, "name": "Ms. X", "is_new": True}
    low = {**high, "x": -0.9, "colour": "blue"}
    odd = {"x": 1e9, "colour": "violet", "noise": "much", "unheard": 1}
    probabilities = answers(starter, model, [high, low, odd, {}])
    assert np.allclose(np.sum(probabilities, axis=1), 1)
    # By code point: maybe, no, yes. The first has no row in training.
    assert [int(np.argmax(one)) for one in probabilities[:2]] == [2, 1]
    assert [one[0] for one in probabilities] == [0, 0, 0, 0]


@each("TABULAR_CLASSIFICATION")
def test_classes_of_texts(starter: Starter, tmp_path: Path) -> None:
    """Words that are in many texts count, whatever they are."""
    path = tmp_path / "reviews.csv"
    rows = [
        f"{'A Fine' if i % 3 else 'Some poor'} film no. {i} of {2 * i},{'good' if i % 3 else 'bad'}" for i in range(60)
    ]
    path.write_text("\n".join(["review,target", *rows]))
    model = train(starter, {"train": str(path), "val": str(path)})
    predictions = answers(starter, model, [{"review": "a fine, FINE film"}, {"review": "Poor!"}, {"review": None}])
    assert [int(np.argmax(one)) for one in predictions[:2]] == [1, 0]


@each("TABULAR_REGRESSION")
def test_numbers_of_rows(starter: Starter, tiny: Paths) -> None:
    model = train(starter, tiny[starter.task])
    row = {"x": 0.5, "colour": "green", "noise": None, "always": 1, "name": "Ms. X", "is_new": False}
    middle, odd, empty = answers(starter, model, [row, {"x": -1e9, "colour": "violet", "noise": "much"}, {}])
    assert middle == pytest.approx(1000, abs=400)
    assert math.isfinite(odd) and math.isfinite(empty)


@each("POS_TAGGING")
def test_tags(starter: Starter, tiny: Paths) -> None:
    model = train(starter, tiny[starter.task])
    known, unknown, odd, empty = answers(
        starter, model, [["the", "cats", "walked", "."], ["a", "horses", "looked", "."], ["", "日本", "a b:c"], []]
    )
    assert (known, unknown, empty) == ([0, 1, 2, 3], [0, 1, 2, 3], [])
    assert len(odd) == 3


@pytest.mark.parametrize(
    "starter",
    [one for one in STARTERS if one.name in ("ImageSvm", "TabularForestClassifier", "TabularMlpRegressor", "TagCrf")],
    ids=lambda starter: starter.name,
)
def test_the_whole_way_as_an_author_tests_it(
    starter: Starter, tiny: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["test"])
    paths = tiny[starter.task]
    task = get_task(starter.task)
    queries = [query for query, _ in task.iterate(paths["val"], TRAIN_ARGS.get(starter.task))][:2]
    predictions, _ = test_model_class(
        str(starter.path),
        starter.name,
        starter.task,
        starter.dependencies,
        paths["train"],
        paths["val"],
        budget={"MODEL_TRIAL_COUNT": 1},
        train_args=TRAIN_ARGS.get(starter.task),
        queries=queries,
    )
    assert predictions is not None and len(predictions) == 2
    assert "Warning" not in capsys.readouterr().out
