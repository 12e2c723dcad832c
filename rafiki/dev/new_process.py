"""What a template predicts in a process of its own, where nothing of its training is left but the parameters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rafiki.dev.template import blaming, load_trained
from rafiki.entities import Failure, FailureCode
from rafiki.errors import InvalidModelClassError
from rafiki.model import BaseModel, Knobs, Params, load_model_class
from rafiki.model.params import load_params, save_params
from rafiki.tasks import to_json_value
from rafiki.worker.failures import TrialFailed, import_failure_of
from rafiki.worker.frames import REPLIES, REQUESTS, Failed, Loaded, Predict, Predicted, Reply, decode, encode
from rafiki.worker.trial import bad_predictions, check_predictions

_PROGRAM = "import sys; from rafiki.dev.new_process import main; main(sys.argv[1])"
_MAX_SHOWN_OUTPUT = 2000


@dataclass(frozen=True)
class Source:
    """A template's file and the name of its class."""

    path: Path
    model_class: str

    def load(self) -> type[BaseModel]:
        """The class. InvalidModelClassError says why there is none."""
        return load_model_class(self.path.read_bytes(), self.model_class, str(self.path))


@dataclass(frozen=True)
class Answers:
    """What came of loading the parameters and of each batch, as far as it went; the failure that was the end."""

    is_loaded: bool
    batches: list[list[Any]]
    failure: Failure | None


def predict_in_new_process(source: Source, knobs: Knobs, params: Params, batches: Sequence[Sequence[Any]]) -> Answers:
    """Load a template's class and these parameters in a new process, and predict each of the batches of queries.

    The process has this one's environment and module path; its working directory is empty. What it prints is shown
    only if it dies.
    """
    with tempfile.TemporaryDirectory(prefix="rafiki-") as name:
        folder = Path(name)
        start = {"path": str(source.path), "model_class": source.model_class, "knobs": knobs, "n_batches": len(batches)}
        (folder / "start.json").write_text(json.dumps(start))
        save_params(folder / "params", params)
        for i, queries in enumerate(batches):
            (folder / f"batch-{i}").write_bytes(encode(Predict(queries), i))
        died = _run(folder)
        replies = [_read(folder / f"reply-{i}") for i in range(len(batches) + 1) if (folder / f"reply-{i}").exists()]
    failures = [reply.failure for reply in replies if isinstance(reply, Failed)]
    return Answers(
        is_loaded=any(isinstance(reply, Loaded) for reply in replies),
        batches=[to_json_value(reply.predictions) for reply in replies if isinstance(reply, Predicted)],
        failure=failures[0] if failures else died,
    )


def _run(folder: Path) -> Failure | None:
    """Run the process to its end; the failure that its death is, if it died."""
    work_dir = folder / "work"
    work_dir.mkdir()
    module_path = os.pathsep.join(os.path.abspath(place) for place in sys.path)  # noqa: PTH100 (of texts that may be "")
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(folder)],
        cwd=work_dir,
        env={**os.environ, "PYTHONPATH": module_path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode == 0:
        return None
    output = ended.stdout.rstrip()[-_MAX_SHOWN_OUTPUT:]
    last_output = f", after printing\n{output}\n" if output else ""
    if ended.returncode < 0:
        name = signal.Signals(-ended.returncode).name
        return Failure(FailureCode.KILLED, f"the process was killed by {name}{last_output}")
    return Failure(FailureCode.EXITED, f"the process ended with exit code {ended.returncode}{last_output}")


def _read(path: Path) -> Any:
    return decode(bytearray(path.read_bytes()), REPLIES)[1]


# --- in the new process ---------------------------------------------------------------------------------------------


def main(folder_path: str) -> None:
    """Write the reply to loading as `reply-0`, to batch i as `reply-<i + 1>`; the first failure is the last reply."""
    folder = Path(folder_path)
    start = json.loads((folder / "start.json").read_text())
    n_replies = 0

    def reply(message: Reply) -> None:
        nonlocal n_replies
        (folder / f"reply-{n_replies}").write_bytes(encode(message, n_replies))
        n_replies += 1

    try:
        model_class = Source(Path(start["path"]), start["model_class"]).load()
        model = load_trained(model_class, start["knobs"], load_params(folder / "params"))
        reply(Loaded())
        for i in range(start["n_batches"]):
            _, request = decode(bytearray((folder / f"batch-{i}").read_bytes()), REQUESTS)
            assert isinstance(request, Predict)
            predictions = _predict(model, request.queries)
            try:
                reply(Predicted(predictions))
            except (TypeError, ValueError, RecursionError) as error:
                raise bad_predictions(model_class, f"`predict` returned what JSON cannot carry: {error}") from error
    except TrialFailed as error:
        reply(Failed(error.failure))
    except InvalidModelClassError as error:
        reply(Failed(import_failure_of(error)))


def _predict(model: BaseModel, queries: Sequence[Any]) -> list[Any]:
    with blaming(type(model)):
        answers = model.predict(list(queries))
    return check_predictions(type(model), answers, len(queries))
