"""The example templates learn, survive storage, and answer in their task's format."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.model import dataset, load_model_class
from rafiki.model.params import pack_params, unpack_params
from rafiki.tasks import get_task
from rafiki.worker.trial import run_trial

MODELS = Path(__file__).parents[3] / "examples" / "models"
KNOBS: dict[str, dict[str, Any]] = {
    "SkDt": {"max_depth": 12, "criterion": "gini", "max_image_size": 32, "image_mode": "L"},
    "SkSvm": {"C": 10.0, "kernel": "rbf", "gamma": 1.0, "max_image_size": 32, "image_mode": "L"},
    "BigramHmm": {"smoothing": 0.1, "max_suffix_len": 3},
}
LEAST_ACCURACY = {"SkDt": 0.7, "SkSvm": 0.9}


def load(task: str, name: str) -> Any:
    return load_model_class((MODELS / task / f"{name}.py").read_bytes(), name)


def train(model_class: Any, train_path: str, val_path: str) -> tuple[float, Any]:
    """The score, and an instance that was loaded from stored parameters."""
    knobs = KNOBS[model_class.__name__]
    assert set(model_class.get_knob_config()) == set(knobs)
    outcome = run_trial(model_class, knobs, train_path, val_path)
    assert outcome.score is not None
    assert outcome.params is not None
    model = model_class(**knobs)
    model.load_parameters(unpack_params(pack_params(outcome.params)))
    assert model.evaluate(val_path) == outcome.score
    return outcome.score, model


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    from examples.datasets.image_files.load_digits import load_digits

    return load_digits(str(tmp_path_factory.mktemp("digits")))


@pytest.mark.parametrize("name", ["SkDt", "SkSvm"])
def test_image_classifiers(digits: dict[str, str], name: str) -> None:
    score, model = train(load("image_classification", name), digits["train"], digits["val"])
    assert score > LEAST_ACCURACY[name]
    task = get_task("IMAGE_CLASSIFICATION")
    queries, labels = zip(*task.iterate(digits["test"]), strict=True)
    predictions = [task.check_prediction(q, p) for q, p in zip(queries, model.predict(list(queries)), strict=True)]
    assert {len(p) for p in predictions} == {10}
    assert np.allclose(np.sum(predictions, axis=1), 1)
    assert task.score(predictions, labels) > LEAST_ACCURACY[name]
    # An image of another size, and one at a time.
    assert len(model.predict([np.zeros((30, 20, 3), np.uint8)])[0]) == 10
    assert np.allclose(model.predict([queries[0]])[0], predictions[0])
    assert model.predict([]) == []


def test_an_ensemble_does_not_fall_behind_its_best_member(digits: dict[str, str]) -> None:
    task = get_task("IMAGE_CLASSIFICATION")
    queries, labels = zip(*task.iterate(digits["test"]), strict=True)
    members = []
    for name in ("SkSvm", "SkDt"):
        _, model = train(load("image_classification", name), digits["train"], digits["val"])
        members.append(model.predict(list(queries)))
    assert task.score(task.combine_batch(members), labels) >= task.score(members[0], labels) - 0.01


@pytest.mark.parametrize("name", ["SkDt", "SkSvm"])
def test_classes_without_images_keep_their_places(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / "x.zip")
    images = [np.full((4, 4), 250 * (i % 2), np.uint8) for i in range(20)]
    dataset.write_dataset_of_image_files(path, images, [1 + 3 * (i % 2) for i in range(20)])
    score, model = train(load("image_classification", name), path, path)
    assert score == 1
    black, white = model.predict([np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 250, np.uint8)])
    assert (len(black), int(np.argmax(black)), int(np.argmax(white))) == (5, 1, 4)


def test_tagger(tmp_path: Path) -> None:
    """0: article, 1: noun, 2: verb, 3: punctuation. `-s` ends nouns here, `-ed` verbs."""
    words = {0: ["the", "a"], 1: ["cats", "dogs", "birds", "'"], 2: ["walked", "jumped", "talked"], 3: [".", '"']}
    random = np.random.default_rng(0)
    sentences = [[[str(random.choice(words[tag])), tag] for tag in (0, 1, 2, 0, 1, 3)] for _ in range(200)]
    paths = [str(tmp_path / name) for name in ("train.zip", "val.zip")]
    dataset.write_dataset_of_corpus(paths[0], sentences[:150])
    dataset.write_dataset_of_corpus(paths[1], sentences[150:])
    score, model = train(load("pos_tagging", "BigramHmm"), *paths)
    assert score == 1
    queries = [["the", "horses", "looked", "."], ["a", "dogs"], ["???"], []]
    predictions = model.predict(queries)
    task = get_task("POS_TAGGING")
    assert [task.check_prediction(q, p) for q, p in zip(queries, predictions, strict=True)] == predictions
    assert predictions[:2] == [[0, 1, 2, 3], [0, 1]]
    assert model.predict([]) == []
