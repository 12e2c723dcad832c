"""The scripts of `examples/scripts` as users run them, against a real server, on small datasets."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

from rafiki.model import dataset
from tests.server_process import PASSWORD, ServerProcess

SCRIPTS = Path(__file__).parents[2] / "examples" / "scripts"


def run(server: ServerProcess, name: str, *arguments: object) -> str:
    command = [sys.executable, str(SCRIPTS / name), "--password", PASSWORD, "--admin_port", str(server.port)]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(server: ServerProcess, name: str, *arguments: str) -> str:
    """What a script that ends with 1 says."""
    command = [sys.executable, str(SCRIPTS / name), "--password", PASSWORD, "--admin_port", str(server.port)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_pos_tagging(server: ServerProcess, tmp_path: Path) -> None:
    sentences = [[["the", 0], ["cat", 1], ["sleeps", 2]], [["a", 0], ["dog", 1], ["barks", 2]]] * 5
    for part in ("train", "val"):
        dataset.write_dataset_of_corpus(str(tmp_path / f"{part}.zip"), sentences)
    (tmp_path / "meta.tsv").write_text("tag\tname\n0\tDT\n1\tNN\n2\tVB\n")
    paths = [f"--{part}_path={tmp_path / file}" for part, file in
             (("train", "train.zip"), ("val", "val.zip"), ("meta", "meta.tsv"))]  # fmt: skip
    shown = run(server, "run_pos_tagging.py", *paths, "--model_trial_count=1", "--sentences", "the dog sleeps")
    assert "The train job is STOPPED" in shown
    assert "the/DT dog/NN sleeps/VB" in shown


def test_tabular_regression(server: ServerProcess, tmp_path: Path) -> None:
    numbers = random.Random(0)
    for part in ("train", "val"):
        rows = [(numbers.uniform(0, 9), numbers.uniform(0, 9), numbers.choice(["red", "blue"])) for _ in range(60)]
        lines = [f"{a + b + (c == 'red'):.3f},{a:.3f},{b:.3f},{c}" for a, b, c in rows]
        (tmp_path / f"{part}.csv").write_text("\n".join(["size,a,b,colour", *lines]))
    arguments = [f"--{part}_path={tmp_path / part}.csv" for part in ("train", "val")]
    queries = '[{"a": 1, "b": 1, "colour": "red"}, {"b": 8.5, "a": 8.5}]'
    # The default template needs scikit-learn, whose environment takes long to make.
    template = Path(__file__).parents[1] / "templates" / "LeastSquares.py"
    arguments += [f"--model_path={template}", "--dependencies={}"]
    arguments += ["--target=size", "--model_trial_count=1", f"--queries={queries}"]
    shown = run(server, "run_tabular_regression.py", *arguments)
    assert "The train job is STOPPED" in shown
    small, large = (float(line.split()[0]) for line in shown.splitlines() if ' for {"' in line)
    assert small < 7 < 11 < large


def test_what_is_wrong_is_one_sentence(server: ServerProcess, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,size\n1,2\n2,4\n")
    template = Path(__file__).parents[1] / "templates" / "LeastSquares.py"
    flags = [f"--train_path={table}", f"--val_path={table}", f"--model_path={template}", "--dependencies={}"]
    said = refused(server, "run_tabular_regression.py", *flags, "--target=width")
    assert re.fullmatch(r"Error: the train job is ERRORED without a trial to deploy: .*'width'.*\n", said)
    for script in ("quickstart.py", "run_pos_tagging.py", "run_tabular_regression.py"):
        said = refused(server, script, "--train_path=nowhere")
        assert re.fullmatch(r"Error: dataset_path: there is no file .*nowhere\n", said)
        said = refused(server, script, "--password=wrong")
        assert said == "Error: InvalidUserError: no user has this email and password\n"


def test_seeding_users(server: ServerProcess) -> None:
    assert run(server, "seed_users.py").count("created") == 3
    assert run(server, "seed_users.py").count("exists") == 3
    assert {"admin@rafiki", "app_developer@rafiki"} <= {user["email"] for user in server.client().get_users()}


def test_a_missing_password_is_asked_for(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "SUPERADMIN" not in name}
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "seed_users.py")], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "--password" in done.stderr
