"""A template's whole way, from its file to predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rafiki.constants import Budget
from rafiki.dev import report
from rafiki.dev.dependencies import dependency_warnings
from rafiki.dev.predicting import make_predictions
from rafiki.dev.template import load_trained
from rafiki.dev.tuning import tune_model
from rafiki.errors import InvalidModelClassError
from rafiki.model import BaseModel, check_model_class, load_model_class
from rafiki.tasks import get_task
from rafiki.worker.trial import destroy


def test_model_class(
    model_file_path: str,
    model_class: str,
    task: str,
    dependencies: Mapping[str, str] | None,
    train_dataset_path: str,
    val_dataset_path: str,
    test_dataset_path: str | None = None,
    budget: Budget | None = None,
    train_args: Mapping[str, Any] | None = None,
    queries: Sequence[Any] | None = None,
) -> tuple[list[Any] | None, BaseModel | None]:
    """Check a template, tune it and predict with it as the platform would, and print what was checked.

    Returns the predictions and a loaded instance, both None without `queries`. Raises `InvalidModelClassError` (the
    rules that the class breaks), `InvalidDatasetFormatException`, and what `tune_model` and `make_predictions` do.
    Declared dependencies that are missing here or of another version are a warning.
    """
    report.section(f"Testing {model_class} of {model_file_path}")
    cls = _load(model_file_path, model_class)
    done = ["the file can be imported and has the class", "the class has all methods and a knob config"]
    warnings = dependency_warnings(dependencies)
    for warning in warnings:
        report.warning(warning)
    if dependencies and not warnings:
        done.append("the declared dependencies are installed here in their versions")
    datasets = [path for path in (train_dataset_path, val_dataset_path, test_dataset_path) if path is not None]
    for path in dict.fromkeys(datasets):
        get_task(task).check_dataset(str(path))
    done.append(f"the datasets are of task {task}")
    proposal, test_score, params = tune_model(
        cls, train_dataset_path, val_dataset_path, test_dataset_path, budget, train_args
    )
    done += ["it trains, and evaluates to a number", "its parameters can be stored"]
    if test_score is not None:
        done.append(f"loaded from its stored parameters, it evaluates to {test_score} on the test dataset")
    predictions, model = make_predictions(queries, task, cls, proposal, params)
    if predictions is None:
        destroy(load_trained(cls, proposal.knobs, params))
        done.append("it loads its stored parameters")
    else:
        done.append(f"loaded from its stored parameters, it gives a prediction per query ({len(predictions)})")
    report.checked(done)
    return predictions, model


test_model_class.__test__ = False  # type: ignore[attr-defined]  # its name makes pytest take it for a test


def _load(model_file_path: str, model_class: str) -> type[BaseModel]:
    path = Path(model_file_path)
    cls = load_model_class(path.read_bytes(), model_class, file_path=str(path.resolve()))
    problems = check_model_class(cls)
    if problems:
        raise InvalidModelClassError(" ".join(problems))
    return cls
