"""The example templates that need a framework: each in an environment of its own, as a script and on the platform."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.datasets.corpus.load_ud_english import load_ud_english
from examples.datasets.image_files.load_fashion_mnist import load_fashion_mnist
from examples.datasets.tabular.load_bodyfat import load_bodyfat
from examples.datasets.tabular.load_titanic import load_titanic
from rafiki.client import Client
from rafiki.environment import find_environment
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings
from rafiki.tasks import Task, get_task
from tests.environments import build_environment
from tests.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("RAFIKI_TEST_DATA", ROOT.parent / "shared" / "data"))
LIMIT_S = 300
#: What an environment's error says where this machine's index does not offer a build.
NOT_OFFERED = ("has no version", "has no build", "the index has no package", "index of packages cannot be reached")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data (or RAFIKI_TEST_DATA)")


@dataclass(frozen=True, eq=False)
class Example:
    """A template, its data (`data/<dataset>_train...`), and the score that it is at least to have there."""

    name: str
    task: str
    dependencies: dict[str, str]
    dataset: str
    least_score: float

    @property
    def path(self) -> Path:
        return ROOT / "examples" / "models" / self.task.lower() / f"{self.name}.py"

    def dataset_path(self, part: str) -> str:
        suffix = "csv" if self.task.startswith("TABULAR") else "zip"
        return f"data/{self.dataset}_{part}.{suffix}"


TF_FEED_FORWARD = Example("TfFeedForward", "IMAGE_CLASSIFICATION", {"tensorflow": "2.21.0"}, "fashion_mnist", 0.6)
SK_SVM = Example("SkSvm", "IMAGE_CLASSIFICATION", {"scikit-learn": "1.9.1"}, "fashion_mnist", 0.6)
PY_BI_LSTM = Example("PyBiLstm", "POS_TAGGING", {"torch": "2.13.0"}, "ud_english", 0.8)
BIGRAM_HMM = Example("BigramHmm", "POS_TAGGING", {}, "ud_english", 0.8)
XGB_CLF = Example("XgbClf", "TABULAR_CLASSIFICATION", {"xgboost": "3.2.0"}, "titanic", 0.7)
XGB_REG = Example("XgbReg", "TABULAR_REGRESSION", {"xgboost": "3.2.0"}, "bodyfat", 0.5)
#: As scripts, with what keeps their one trial short.
SCRIPTS = {
    TF_FEED_FORWARD: ["--max_epochs=10", "--batch_size=32", "--learning_rate=0.001", "--n_hidden_units=64"],
    PY_BI_LSTM: ["--n_epochs=3", "--learning_rate=0.01", "--n_part_dims=32", "--n_hidden_units=32"],
    XGB_CLF: ["--n_estimators=100", "--learning_rate=0.1"],
    XGB_REG: ["--n_estimators=100", "--learning_rate=0.1"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with all datasets."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("work")
        patch.chdir(folder)
        load_fashion_mnist(from_dir=str(DATA / "fashion_mnist_900"))
        load_ud_english(from_dir=str(DATA / "ud_english_ewt"), limit=1000)
        load_titanic(from_dir=str(DATA / "tabular"))
        load_bodyfat(from_dir=str(DATA / "tabular"))
        yield folder


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("builds"))


def build(settings: Settings, dependencies: dict[str, str]) -> Path:
    """The interpreter of an environment. Skips where the machine's index has no such build."""
    try:
        return find_environment(settings, build_environment(settings, dependencies).address).python
    except EnvironmentBuildError as error:
        if not any(why in error.message for why in NOT_OFFERED):
            raise
        pytest.skip(f"needs an index of packages that has {dependencies}: {error}")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = ServerProcess(tmp_path_factory.mktemp("server") / "data", RAFIKI_WORKER_READABLE="")
    server.start()
    with server.user("MODEL_DEVELOPER") as client:
        yield client
    assert server.stop() == 0
    assert server.processes() == {}


@pytest.mark.parametrize("example", SCRIPTS, ids=lambda example: example.name)
def test_as_a_script_it_tests_itself(folder: Path, builds: Settings, example: Example) -> None:
    # What `rafiki.dev` needs beside the model's own dependencies.
    python = build(builds, {**example.dependencies, "scipy": "", "threadpoolctl": ""})
    ended = subprocess.run(
        [
            *(str(python), str(example.path), "--MODEL_TRIAL_COUNT=1", *SCRIPTS[example]),
            *(f"--{part}_path={example.dataset_path(part)}" for part in ("train", "val")),
            *(["--query_path=" + ",".join(map(str, query_images()))] if example is TF_FEED_FORWARD else []),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert "Warning" not in ended.stdout
    assert "Advice" not in ended.stdout
    assert "which predicts the same" in ended.stdout
    assert "predictions are as the task" in ended.stdout


NO_QUERIES = """
import sys
from pathlib import Path
from rafiki.model import load_model_class

model_class = load_model_class(Path(sys.argv[1]).read_bytes(), "XgbClf")
model = model_class(n_estimators=3, max_depth=2)
model.train(sys.argv[2])
print(model.predict([]), len(model.predict([{"x": 1}])[0]), file=sys.stderr)
"""


@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_queries_have_no_predictions(builds: Settings, tmp_path: Path, n_classes: int) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i % n_classes}\n" for i in range(30)))
    command = [str(build(builds, XGB_CLF.dependencies)), "-c", NO_QUERIES, str(XGB_CLF.path), str(path)]
    ended = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert ended.stderr == f"[] {n_classes}\n"


def query_images() -> list[Path]:
    return sorted((ROOT / "examples" / "data" / "image_classification").glob("*.png"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("app", "examples", "n_trials"),
    [("clothes", (TF_FEED_FORWARD, SK_SVM), 2), ("words", (PY_BI_LSTM, BIGRAM_HMM), 1)],
)
def test_a_mixed_ensemble(
    client: Client, builds: Settings, app: str, examples: tuple[Example, ...], n_trials: int
) -> None:
    trials, score = tune_and_serve(client, builds, app, examples, n_trials)
    assert {trial["model_name"] for trial in trials} == {example.name for example in examples}
    assert len(trials) == n_trials * len(examples)
    assert score > examples[0].least_score
    if app == "clothes":
        check_training_was_logged(client, trials)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("example", [XGB_CLF, XGB_REG], ids=lambda example: example.name)
def test_on_a_table(client: Client, builds: Settings, example: Example) -> None:
    trials, score = tune_and_serve(client, builds, example.dataset, (example,), 5)
    assert len(trials) == 5
    assert score > example.least_score


def tune_and_serve(
    client: Client, builds: Settings, app: str, examples: tuple[Example, ...], n_trials: int
) -> tuple[list[dict[str, Any]], float]:
    """All trials, and the ensemble's score on the validation data."""
    first = examples[0]
    build(builds, first.dependencies)  # skips
    datasets = [
        client.create_dataset(f"{app}_{part}", first.task, first.dataset_path(part))["id"] for part in ("train", "val")
    ]
    models = [
        client.create_model(one.name, one.task, str(one.path), one.name, one.dependencies)["id"] for one in examples
    ]
    for model_id in models:
        model = client.wait_until_model_is_checked(model_id, timeout=LIMIT_S)
        assert (model["status"], model["error"], model["warnings"]) == ("READY", None, [])
    client.create_train_job(app, first.task, *datasets, {"MODEL_TRIAL_COUNT": n_trials}, models)
    job = client.wait_until_train_job_has_stopped(app, timeout=LIMIT_S)
    assert (job["status"], job["error"]) == ("STOPPED", None)

    client.create_inference_job(app)
    client.wait_until_inference_job_is_running(app, timeout=LIMIT_S)
    score = score_of(client, app, get_task(first.task), first)
    client.stop_inference_job(app)
    return client.get_trials_of_train_job(app), score


def score_of(client: Client, app: str, task: Task, example: Example) -> float:
    items = task.iterate(example.dataset_path("val"), None, [example.dataset_path("train")])
    queries, labels = zip(*list(items)[:200], strict=True)
    plain = [query.tolist() if isinstance(query, np.ndarray) else query for query in queries]
    return task.score(client.predict(app, queries=plain), labels)


def check_training_was_logged(client: Client, trials: list[dict[str, Any]]) -> None:
    """The first trial stops early, the last is the full training of the best that was found."""
    first, last = sorted((trial for trial in trials if trial["model_name"] == "TfFeedForward"), key=lambda t: t["no"])
    logs = client.get_trial_logs(first["id"])
    assert [plot["metrics"] for plot in logs["plots"]] == [["loss"], ["early_stop_loss"]]
    losses = [entry["loss"] for entry in logs["metrics"] if "loss" in entry]
    assert losses[-1] < losses[0]
    assert len([entry for entry in logs["metrics"] if "early_stop_loss" in entry]) == len(losses)
    logs = client.get_trial_logs(last["id"])
    assert [plot["metrics"] for plot in logs["plots"]] == [["loss"]]
    assert [entry["epoch"] for entry in logs["metrics"]] == list(range(40))
