"""Whether the starter models, tuned for a minute and served as a plain mean, are worth it.

    python bench/starters.py [--from DIR] [--splits 5] [--first-split 100] [--seconds 60] [--datasets titanic,digits]

Each dataset is split at random into data for training (60 %), validation and test (20 % each), several times. On each
split one real job of so many seconds runs all starter models of the task, on a server of its own; the job's ensemble
is deployed and answers the test queries, which neither it nor anything else has seen. Against it: the best of five
scikit-learn models as they come (linear, SVM, random forest, gradient boosting, neural network, with the usual
preparation of the data), trained on the same training data and chosen by the same validation data. Where several are
best there, the mean of their test scores counts. Scores are accuracy, and R² for bodyfat.

The splits 0 to 9 were looked at when the templates' knobs were chosen: those from 100 on are new to them.

DIR holds titanic.csv, penguins.csv and bodyfat.csv; the digits come with scikit-learn.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Like the platform's workers; set before NumPy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from rafiki.cli.demo_server import DemoServer
from rafiki.client import Client
from rafiki.model import dataset
from rafiki.starters import install_starters
from rafiki.tasks import get_task

PARTS = {"train": 0.6, "val": 0.2, "test": 0.2}
IMAGES, CLASSES, NUMBERS = "IMAGE_CLASSIFICATION", "TABULAR_CLASSIFICATION", "TABULAR_REGRESSION"
TARGETS = {"titanic": "survived", "penguins": "species", "bodyfat": "BodyFat"}
QUERIES_PER_REQUEST = 64


@dataclass(frozen=True)
class Split:
    """A dataset's files of one split, and what tells templates how to read them."""

    name: str
    task: str
    paths: dict[str, str]
    train_args: dict[str, Any] | None


@dataclass(frozen=True)
class Outcome:
    single: float
    single_name: str
    ensemble: float
    members: str
    n_trials: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, default=Path("../shared/data/tabular"))
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--first-split", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--datasets", default="titanic,penguins,bodyfat,digits")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with tempfile.TemporaryDirectory() as folder:
        server = DemoServer(Path(folder))
        server.start()
        try:
            with Client(server.url) as client:
                client.login("superadmin@rafiki", server.password_path.read_text().strip())
                install(client)
                for name in args.datasets.split(","):
                    measure(client, name, args, Path(folder))
        finally:
            server.stop()


def install(client: Client) -> None:
    for row in install_starters(client, [IMAGES, CLASSES, NUMBERS]):
        model = client.wait_until_model_is_checked(row["id"], timeout=600)
        if model["status"] != "READY":
            raise SystemExit(f"{row['name']} cannot be used: {model['error']}")


def measure(client: Client, name: str, args: argparse.Namespace, folder: Path) -> None:
    if name in TARGETS and not (args.folder / f"{name}.csv").is_file():
        print(f"{name}: left out, there is no {args.folder / name}.csv (--from)")
        return
    outcomes = []
    for seed in range(args.first_split, args.first_split + args.splits):
        split = make_split(name, seed, args.folder, folder / f"{name}-{seed}")
        single, single_name = best_single(split)
        ensemble, members, n_trials = run_job(client, split, f"{name}-{seed}", args.seconds)
        outcomes.append(Outcome(single, single_name, ensemble, members, n_trials))
        print(
            f"{name:9} split {seed}: best single {single:.4f} ({single_name}), ensemble {ensemble:.4f} "
            f"({members}; {n_trials} trials)",
            flush=True,
        )
    report(name, outcomes)


def report(name: str, outcomes: Sequence[Outcome]) -> None:
    """Means, and how sure the difference between them is: its standard error over the splits."""
    gains = [outcome.ensemble - outcome.single for outcome in outcomes]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    single = statistics.mean(outcome.single for outcome in outcomes)
    ensemble = statistics.mean(outcome.ensemble for outcome in outcomes)
    verdict = "at least as good" if ensemble >= single else "WORSE"
    print(
        f"{name:9} mean of {len(outcomes)}: best single {single:.4f}, ensemble {ensemble:.4f} "
        f"({statistics.mean(gains):+.4f} ± {error:.4f}): {verdict}",
        flush=True,
    )


# Data -----------------------------------------------------------------------------------------------------------------


def make_split(name: str, seed: int, source: Path, folder: Path) -> Split:
    folder.mkdir()
    if name == "digits":
        digits = sklearn_datasets.load_digits()
        images = np.round(digits.images * (255 / 16)).astype(np.uint8)
        paths = {}
        for part, chosen in choose(len(images), seed).items():
            paths[part] = str(folder / f"{part}.zip")
            dataset.write_dataset_of_image_files(paths[part], images[chosen], digits.target[chosen].tolist())
        return Split(name, IMAGES, paths, None)
    with (source / f"{name}.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    paths = {}
    for part, chosen in choose(len(rows), seed).items():
        paths[part] = str(folder / f"{part}.csv")
        with open(paths[part], "w", newline="") as file:
            csv.writer(file).writerows([header, *(rows[i] for i in chosen)])
    return Split(name, NUMBERS if name == "bodyfat" else CLASSES, paths, {"target": TARGETS[name]})


def choose(n: int, seed: int) -> dict[str, list[int]]:
    order = np.random.default_rng(seed).permutation(n).tolist()
    ends = np.round(np.cumsum(list(PARTS.values())) * n).astype(int).tolist()
    return {part: order[start:end] for part, start, end in zip(PARTS, [0, *ends], ends, strict=False)}


# The single models ----------------------------------------------------------------------------------------------------


def best_single(split: Split) -> tuple[float, str]:
    """The test score of the model that is best on validation data, and its name."""
    data = {part: arrays(split, part) for part in PARTS}
    scores = []
    for name, model in single_models(split.task).items():
        model.fit(*data["train"])
        scores.append((name, float(model.score(*data["val"])), float(model.score(*data["test"]))))
    best = max(val_score for _, val_score, _ in scores)
    chosen = [(name, test_score) for name, val_score, test_score in scores if val_score == best]
    return statistics.mean(score for _, score in chosen), "/".join(name for name, _ in chosen)


def arrays(split: Split, part: str) -> tuple[Any, Any]:
    if split.task == IMAGES:
        images, classes = zip(*dataset.load_dataset_of_image_files(split.paths[part], mode="L"), strict=True)
        return np.reshape(images, (len(images), -1)) / 255, np.array(classes)
    target = split.train_args["target"] if split.train_args else None
    train = dataset.load_dataset_of_tabular(split.paths["train"], target=target)
    table = dataset.load_dataset_of_tabular(split.paths[part], schema=train.schema)
    return table.to_matrix(one_hot=True), table.targets if split.task == NUMBERS else table.targets.astype(str)


def single_models(task: str) -> dict[str, Any]:
    def scaled(model: Any) -> Any:
        return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)

    if task == NUMBERS:
        return {
            "Ridge": scaled(Ridge()),
            "SVR": scaled(SVR()),
            "RandomForest": RandomForestRegressor(random_state=0),
            "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
            "MLP": scaled(MLPRegressor(random_state=0, max_iter=1000)),
        }
    # Pixels all have the same scale already, and scaling each on its own makes these models worse.
    prepared = (lambda model: model) if task == IMAGES else scaled
    return {
        "LogisticRegression": prepared(LogisticRegression(max_iter=1000)),
        "SVC": prepared(SVC()),
        "RandomForest": RandomForestClassifier(random_state=0),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
        "MLP": prepared(MLPClassifier(random_state=0, max_iter=1000)),
    }


# The job --------------------------------------------------------------------------------------------------------------


def run_job(client: Client, split: Split, app: str, seconds: float) -> tuple[float, str, int]:
    """The ensemble's score on the test data, its members, and the number of trials."""
    ids = [client.create_dataset(app, split.task, split.paths[part])["id"] for part in ("train", "val")]
    budget = {"TIME_HOURS": seconds / 3600}
    client.create_train_job(app, split.task, *ids, budget, train_args=split.train_args)
    job = client.wait_until_train_job_has_stopped(app)
    if job["status"] != "STOPPED":
        raise SystemExit(f"the train job {app} ended {job['status']}: {job['error']}")
    client.create_inference_job(app, budget={"ENSEMBLE": "mean"})
    client.wait_until_inference_job_is_running(app)
    task = get_task(split.task)
    others = [split.paths["train"], split.paths["val"]]
    queries, labels = zip(*task.iterate(split.paths["test"], split.train_args, others), strict=True)
    score = task.score(ask(client, app, queries), labels)
    client.stop_inference_job(app)
    return score, members(client, app), len(client.get_trials_of_train_job(app))


def ask(client: Client, app: str, queries: Sequence[Any]) -> list[Any]:
    predictions = []
    for first in range(0, len(queries), QUERIES_PER_REQUEST):
        predictions += client.predict(app, queries=list(queries[first : first + QUERIES_PER_REQUEST]))
    return predictions


def members(client: Client, app: str, n: int = 4) -> str:
    """The models of the best trials, best first, as many as an ensemble has by default."""
    best = client.get_best_trials_of_train_job(app, max_count=1000)
    return ", ".join(list(dict.fromkeys(trial["model_name"] for trial in best))[:n])


if __name__ == "__main__":
    main()
