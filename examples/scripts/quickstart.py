"""Rafiki's main job through its client: two model templates are tuned on a dataset, then served as one ensemble.

Needs a running server (`rafiki serve`) and a dataset for image classification, such as one made by
`examples/datasets/image_files/load_fashion_mnist.py`. Run it from the project's root:

    RAFIKI_SUPERADMIN_PASSWORD=... python examples/scripts/quickstart.py
"""

import argparse
import sys
import uuid
from pathlib import Path

from rafiki.constants import BudgetOption, ModelDependency
from rafiki.model import dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this script may be run from anywhere
from examples.scripts.signing_in import add_arguments, best_trials_of, one_line_errors, sign_in

TASK = "IMAGE_CLASSIFICATION"
ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "examples/models/image_classification"
IMAGES = ROOT / "examples/data/image_classification"


def quickstart(client, train_path, val_path, query_paths, hours=0.1, model_trial_count=5, gpus=0):
    """The predictions for the images at `query_paths`, by the best models found for the data."""
    run = uuid.uuid4().hex[:6]  # names are unique, so that this can be run many times
    app = f"quickstart_{run}"

    print("Uploading the data...")
    train_dataset = client.create_dataset(f"{app}_train", TASK, train_path)
    val_dataset = client.create_dataset(f"{app}_val", TASK, val_path)

    print("Submitting two model templates...")
    dependencies = {ModelDependency.SCIKIT_LEARN: "1.9.1"}
    models = [
        client.create_model(f"{name}_{run}", TASK, str(MODELS / f"{name}.py"), name, dependencies)["id"]
        for name in ("SkDt", "SkSvm")
    ]

    print(f"Tuning them: train job of app {app}...")
    budget = {
        BudgetOption.TIME_HOURS: hours,
        BudgetOption.MODEL_TRIAL_COUNT: model_trial_count,
        BudgetOption.GPU_COUNT: gpus,
    }
    client.create_train_job(app, TASK, train_dataset["id"], val_dataset["id"], budget, models)
    job = client.wait_until_train_job_has_stopped(app, progress=progress_printer())
    print(f"The train job is {job['status']}. Its best trials:")
    best_trials_of(client, job)

    print("Deploying the best trials as one ensemble...")
    client.create_inference_job(app)
    predictor_host = client.wait_until_inference_job_is_running(app)["predictor_host"]
    print(f"Asking it: POST http://{predictor_host}/predict")
    predictions = client.predict(app, queries=[dataset.load_images([path])[0] for path in query_paths])
    for path, probabilities in zip(query_paths, predictions, strict=True):
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        print(f"  {path}: class {best}, with a probability of {probabilities[best]:.2f}")

    client.stop_inference_job(app)
    return predictions


def progress_printer():
    """What to call whenever a train job may have moved on; prints a line when it has."""
    said = set()

    def print_progress(job, trials):
        n_done = sum(trial["status"] not in ("PENDING", "RUNNING") for trial in trials)
        line = f"  {job['status']}, {n_done} trials done"
        if line not in said:
            said.add(line)
            print(line)

    return print_progress


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--train_path", default="data/fashion_mnist_train.zip", help="(%(default)s)")
    parser.add_argument("--val_path", default="data/fashion_mnist_val.zip", help="(%(default)s)")
    parser.add_argument(
        "--query_path",
        nargs="+",
        default=[str(IMAGES / f"fashion_mnist_test_{no}.png") for no in (1, 2)],
        help="images to ask about (two of Fashion-MNIST)",
    )
    parser.add_argument("--hours", type=float, default=0.1, help="time for tuning (%(default)s)")
    parser.add_argument("--model_trial_count", type=int, default=5, help="trials of each template (%(default)s)")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs for tuning (%(default)s)")
    given = parser.parse_args()
    with one_line_errors():
        quickstart(
            sign_in(parser, given),
            given.train_path,
            given.val_path,
            given.query_path,
            given.hours,
            given.model_trial_count,
            given.gpus,
        )
