"""The work that every server of this benchmark does: scikit-learn models, and the bodies of the queries.

`python models.py`, with the benchmark's folder in `BENCH_DIR`, trains the models for the interpreter it runs under and
writes the bodies. A work is what one server serves:

| work | members | query |
| --- | --- | --- |
| `tree` | decision tree | 8x8 digit, nested lists |
| `ens` | decision tree and neural network | the same |
| `big` | neural network | 28x28x3 image, nested lists |
"""

from __future__ import annotations

import json
import os
import pickle
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

CACHE = Path(os.environ.get("BENCH_DIR", ".bench")).absolute() / "cache"
WORKS = {"tree": ["tree"], "ens": ["tree", "mlp"], "big": ["big"]}
#: What pixels are divided by before a model sees them.
SCALES = {"tree": 1.0, "ens": 1.0, "big": 255.0}


def _train(kind: str) -> Any:
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier
    from sklearn.tree import DecisionTreeClassifier

    if kind == "big":
        images = np.random.RandomState(0).randint(0, 256, (400, 28 * 28 * 3)) / 255
        return MLPClassifier((64,), random_state=0, max_iter=20).fit(images, np.arange(400) % 10)
    images, classes = load_digits(return_X_y=True)
    if kind == "tree":
        return DecisionTreeClassifier(random_state=0).fit(images, classes)
    return MLPClassifier((64,), random_state=0, max_iter=200).fit(images, classes)


def model_path(kind: str) -> Path:
    """Pickles are read by the scikit-learn that wrote them only: each version has its own."""
    return CACHE / f"{kind}-{metadata.version('scikit-learn')}-numpy{np.__version__}.pkl"


def make(kind: str) -> None:
    path = model_path(kind)
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(pickle.dumps(_train(kind)))
        temporary.rename(path)


def get(kind: str) -> Any:
    return pickle.loads(model_path(kind).read_bytes())  # what this file wrote itself


def prepare(queries: list[Any], work: str) -> np.ndarray:
    return np.asarray(queries, dtype=np.float64).reshape(len(queries), -1) / SCALES[work]


class Ensemble:
    """The mean of a work's models, for the servers that predict in their own process."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._models = [get(kind) for kind in WORKS[work]]

    def predict(self, queries: list[Any]) -> np.ndarray:
        inputs = prepare(queries, self._work)
        return sum(model.predict_proba(inputs) for model in self._models) / len(self._models)


def body_path(work: str, form: str) -> Path:
    return CACHE / f"{'big' if work == 'big' else 'digits'}-{form}.jsonl"


def _body(query: np.ndarray, form: str) -> dict[str, Any]:
    if form == "list":  # BentoML's batchable endpoints take a batch of one
        return {"query": [query.tolist()]}
    if form == "v2":  # MLServer's protocol
        tensor = {"name": "x", "shape": [1, query.size], "datatype": "FP64", "data": query.ravel().tolist()}
        return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}
    return {"query": query.tolist()}


def write_bodies() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits().images[:64].astype(int)
    images = np.random.RandomState(1).randint(0, 256, (16, 28, 28, 3))
    for work, queries in (("tree", digits), ("big", images)):
        for form in ("plain", "list", "v2"):
            lines = [json.dumps(_body(query, form)) + "\n" for query in queries]
            body_path(work, form).write_text("".join(lines))


if __name__ == "__main__":
    for each in ("tree", "mlp", "big"):
        make(each)
    write_bodies()
