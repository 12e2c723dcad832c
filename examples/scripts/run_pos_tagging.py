"""Parts of speech: a model template is tuned on sentences with tags, then served and asked about new sentences.

Needs a running server (`rafiki serve`) and a dataset such as those made by
`examples/datasets/corpus/load_sample_ptb.py`. Run it from the project's root:

    RAFIKI_SUPERADMIN_PASSWORD=... python examples/scripts/run_pos_tagging.py
"""

import argparse
import csv
import sys
import uuid
from pathlib import Path

from rafiki.constants import BudgetOption

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this script may be run from anywhere
from examples.scripts.signing_in import add_arguments, best_trials_of, one_line_errors, sign_in

TASK = "POS_TAGGING"
MODEL_PATH = Path(__file__).resolve().parents[2] / "examples/models/pos_tagging/BigramHmm.py"
SENTENCES = ("Ms. Haag plays Elianti 18 .", "The luxury auto maker last year sold 1,214 cars in the U.S .")


def run_pos_tagging(
    client,
    train_path="data/ptb_train.zip",
    val_path="data/ptb_val.zip",
    meta_path="data/ptb_meta.tsv",
    sentences=SENTENCES,
    hours=0.1,
    model_trial_count=5,
):
    """The tags of `sentences`, texts with spaces between tokens, by the best models found."""
    run = uuid.uuid4().hex[:6]  # names are unique, so that this can be run many times
    app = f"pos_tagging_{run}"

    print("Uploading the data...")
    train_dataset = client.create_dataset(f"{app}_train", TASK, train_path)
    val_dataset = client.create_dataset(f"{app}_val", TASK, val_path)

    print("Submitting a model template...")
    model = client.create_model(f"BigramHmm_{run}", TASK, str(MODEL_PATH), "BigramHmm")

    print(f"Tuning it: train job of app {app}...")
    budget = {BudgetOption.TIME_HOURS: hours, BudgetOption.MODEL_TRIAL_COUNT: model_trial_count}
    client.create_train_job(app, TASK, train_dataset["id"], val_dataset["id"], budget, [model["id"]])
    job = client.wait_until_train_job_has_stopped(app, progress=True)
    print(f"The train job is {job['status']}. Its best trials (shares of right tags):")
    best_trials_of(client, job)

    print("Deploying the best trials as one ensemble...")
    client.create_inference_job(app)
    predictor_host = client.wait_until_inference_job_is_running(app)["predictor_host"]
    print(f"Asking it: POST http://{predictor_host}/predict")
    queries = [sentence.split() for sentence in sentences]
    predictions = client.predict(app, queries=queries)
    names = read_names(meta_path)
    for tokens, tags in zip(queries, predictions, strict=True):
        print("  " + " ".join(f"{token}/{names.get(tag, tag)}" for token, tag in zip(tokens, tags, strict=True)))

    client.stop_inference_job(app)
    return predictions


def read_names(meta_path):
    """The names of the tags, where there is a file that has them."""
    if not Path(meta_path).is_file():
        return {}
    with open(meta_path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {int(row["tag"]): row["name"] for row in rows}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--train_path", default="data/ptb_train.zip", help="(%(default)s)")
    parser.add_argument("--val_path", default="data/ptb_val.zip", help="(%(default)s)")
    parser.add_argument("--meta_path", default="data/ptb_meta.tsv", help="the tags' names (%(default)s)")
    parser.add_argument("--sentences", nargs="+", default=SENTENCES, help="to ask about, spaces between tokens")
    parser.add_argument("--hours", type=float, default=0.1, help="time for tuning (%(default)s)")
    parser.add_argument("--model_trial_count", type=int, default=5, help="trials (%(default)s)")
    given = parser.parse_args()
    with one_line_errors():
        run_pos_tagging(
            sign_in(parser, given),
            given.train_path,
            given.val_path,
            given.meta_path,
            given.sentences,
            given.hours,
            given.model_trial_count,
        )
