"""A number predicted from a table's columns: one model template is tuned on the table, then served.

Needs a running server (`rafiki serve`) and a dataset such as those made by
`examples/datasets/tabular/load_bodyfat.py`. Run it from the project's root:

    RAFIKI_SUPERADMIN_PASSWORD=... python examples/scripts/run_tabular_regression.py
"""

import argparse
import csv
import json
import sys
import uuid
from pathlib import Path

from rafiki.constants import BudgetOption, ModelDependency

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this script may be run from anywhere
from examples.scripts.signing_in import add_arguments, best_trials_of, one_line_errors, sign_in

TASK = "TABULAR_REGRESSION"
MODEL_PATH = Path(__file__).resolve().parents[2] / "rafiki/starters/templates/TabularForestRegressor.py"
DEPENDENCIES = {ModelDependency.SCIKIT_LEARN: "1.9.1"}


def run_tabular_regression(
    client,
    train_path="data/bodyfat_train.csv",
    val_path="data/bodyfat_val.csv",
    model_path=str(MODEL_PATH),
    model_class=None,
    dependencies=DEPENDENCIES,
    features=None,
    target="bodyfat",
    queries=None,
    hours=0.1,
    model_trial_count=5,
):
    """The predictions for `queries` (default: the first two rows of the validation data), by the best models found.

    `features` are columns to learn from (default: all but the target), `model_class` is by default what the model's
    file is called.
    """
    run = uuid.uuid4().hex[:6]  # names are unique, so that this can be run many times
    app = f"tabular_regression_{run}"

    print("Uploading the data...")
    train_dataset = client.create_dataset(f"{app}_train", TASK, train_path)
    val_dataset = client.create_dataset(f"{app}_val", TASK, val_path)

    model_class = model_class or Path(model_path).stem
    print(f"Submitting the model template {model_class}...")
    model = client.create_model(f"{model_class}_{run}", TASK, model_path, model_class, dependencies)

    print(f"Tuning it: train job of app {app}...")
    budget = {BudgetOption.TIME_HOURS: hours, BudgetOption.MODEL_TRIAL_COUNT: model_trial_count}
    train_args = {"target": target, **({"features": features} if features else {})}
    client.create_train_job(app, TASK, train_dataset["id"], val_dataset["id"], budget, [model["id"]], train_args)
    job = client.wait_until_train_job_has_stopped(app, progress=True)
    print(f"The train job is {job['status']}. Its best trials (1 is perfect, 0 no better than the mean):")
    best_trials_of(client, job)

    print("Deploying the best trials as one ensemble...")
    client.create_inference_job(app)
    predictor_host = client.wait_until_inference_job_is_running(app)["predictor_host"]
    print(f"Asking it: POST http://{predictor_host}/predict")
    if queries is None:
        queries = read_queries(val_path, target)
    predictions = client.predict(app, queries=queries)
    for query, prediction in zip(queries, predictions, strict=True):
        print(f"  {prediction:.3f} for {json.dumps(query)[:100]}")

    client.stop_inference_job(app)
    return predictions


def read_queries(path, target, n=2):
    """The first rows of a table, without the target. A predictor takes numbers as text, too."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(n), strict=False)]
    return [{name: text or None for name, text in row.items() if name != target} for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--train_path", default="data/bodyfat_train.csv", help="(%(default)s)")
    parser.add_argument("--val_path", default="data/bodyfat_val.csv", help="(%(default)s)")
    parser.add_argument("--model_path", default=str(MODEL_PATH), help="the template's file (a forest)")
    parser.add_argument("--model_class", help="the template's class (its file's name)")
    parser.add_argument("--dependencies", type=json.loads, default=DEPENDENCIES, help="of the template, as JSON")
    parser.add_argument("--features", nargs="+", help="the columns to learn from (all but the target)")
    parser.add_argument("--target", default="bodyfat", help="the column to predict (%(default)s)")
    parser.add_argument("--queries", type=json.loads, help="rows to ask about, as JSON (the first of --val_path)")
    parser.add_argument("--hours", type=float, default=0.1, help="time for tuning (%(default)s)")
    parser.add_argument("--model_trial_count", type=int, default=5, help="trials (%(default)s)")
    given = parser.parse_args()
    with one_line_errors():
        run_tabular_regression(
            sign_in(parser, given),
            given.train_path,
            given.val_path,
            given.model_path,
            given.model_class,
            given.dependencies,
            given.features,
            given.target,
            given.queries,
            given.hours,
            given.model_trial_count,
        )
