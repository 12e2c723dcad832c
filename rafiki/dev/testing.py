"""A template's whole way, from its file to predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rafiki.constants import Budget
from rafiki.dev import report
from rafiki.dev.dependencies import dependency_warnings, import_advice
from rafiki.dev.new_process import Source
from rafiki.dev.predicting import predict_queries
from rafiki.dev.round_trip import RoundTrip
from rafiki.dev.template import told_to_the_author
from rafiki.dev.tuning import Tuned, TuningData, tune
from rafiki.errors import InvalidDatasetFormatException, InvalidModelClassError
from rafiki.model import BaseModel, check_model_class
from rafiki.model.places import place_of
from rafiki.tasks import Task, get_task

#: At most so many queries, and as many items of the validation dataset, go through storage and back.
_N_ROUND_TRIP = 8


@told_to_the_author
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

    After the first trial, its parameters are loaded in a new process, which must predict as the trained instance did:
    `queries`, and items of the validation dataset where the task knows its format.

    Returns the predictions and a loaded instance, both None without `queries`. Raises `InvalidModelClassError` for
    whatever the template does wrong: a sentence that says where, what, and what right looks like. Raises
    `InvalidDatasetFormatException`, `InvalidQueryError`, and `ValueError` for dependencies, a budget or a knob's value
    on the command line that cannot be. Declared dependencies that are missing here or of another version are a
    warning; imports that are not declared, an advice.
    """
    source = Source(Path(model_file_path).resolve(), model_class)
    data = TuningData(str(train_dataset_path), str(val_dataset_path), test_dataset_path, dict(train_args or {}))
    checks = report.Checklist()
    report.section(f"Testing {model_class} of {_short(source.path)}")
    cls = _check_class(source, data.train_args, checks)
    _check_dependencies(source.path, dependencies, checks)
    served_by = get_task(task)
    _check_datasets(served_by, data, checks)
    round_trip = RoundTrip(source, cls, served_by, _round_trip_queries(served_by, data, queries))
    tuned = tune(cls, data, budget, round_trip)
    _note_search(tuned, round_trip, checks)
    predictions, model = predict_queries(queries, task, cls, tuned.proposal, tuned.params)
    _note_doubt(served_by, cls, data, round_trip.predictions + (predictions or []))
    if predictions is not None:
        checks.ok(f"predictions are as the task {task} says, one per query ({len(predictions)})")
    checks.show()
    return predictions, model


def _short(path: Path) -> Path:
    """The path from here, where the file is beneath."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


test_model_class.__test__ = False  # type: ignore[attr-defined]  # its name makes pytest take it for a test


def _check_class(source: Source, train_args: Mapping[str, Any], checks: report.Checklist) -> type[BaseModel]:
    cls = source.load()
    problems = check_model_class(cls, train_args)
    if problems:
        raise InvalidModelClassError("\n".join(problems))
    checks.ok(f"{source.path.name} can be imported and has the class {source.model_class}")
    checks.ok(f"its methods are as Rafiki calls them; knobs: {', '.join(cls.get_knob_config()) or 'none'}")
    return cls


def _check_dependencies(path: Path, dependencies: Mapping[str, str] | None, checks: report.Checklist) -> None:
    warnings, advice = dependency_warnings(dependencies), import_advice(path, dependencies)
    for warning in warnings:
        report.warning(warning)
    for text in advice:
        report.advice(text)
    if warnings or advice:
        checks.left_out("dependencies: see the warnings and advice above")
    else:
        names = ", ".join(f"{name} {version}".rstrip() for name, version in (dependencies or {}).items())
        checks.ok(f"what it imports is declared and installed: {names or 'nothing beyond what is always there'}")


def _check_datasets(task: Task, data: TuningData, checks: report.Checklist) -> None:
    paths = {"train": data.train_path, "val": data.val_path, "test": data.test_path}
    for part, path in paths.items():
        if path is None:
            continue
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file {path}; `{part}_dataset_path` must be the path of a dataset")
        try:
            task.check_dataset(str(path), data.train_args)
        except InvalidDatasetFormatException as error:
            raise InvalidDatasetFormatException(f"{path}: {error.message}", error.hint) from None
    checks.ok(f"the datasets are of the task {task.name} ({', '.join(part for part in paths if paths[part])})")


def _round_trip_queries(task: Task, data: TuningData, queries: Sequence[Any] | None) -> list[Any]:
    decoded = [task.decode_query(query) for query in (queries or ())[:_N_ROUND_TRIP]]
    items = task.iterate(data.val_path, data.train_args, [data.train_path])
    return decoded + [query for query, _ in islice(items, _N_ROUND_TRIP)]


def _note_doubt(task: Task, cls: type[BaseModel], data: TuningData, predictions: Sequence[Any]) -> None:
    doubt = task.doubt(predictions, [data.train_path, data.val_path])
    if doubt is not None:
        report.warning(f"{place_of(cls.predict)}`predict` answers with {doubt}.")


def _note_search(tuned: Tuned, round_trip: RoundTrip, checks: report.Checklist) -> None:
    n_trials = "1 trial" if tuned.n_trials == 1 else f"{tuned.n_trials} trials"
    score = "" if tuned.score is None else f", best score {tuned.score:.6g}"
    checks.ok(f"it trains, and evaluates to a number: {n_trials}{score}", tuned.trials_s)
    stored = "its parameters can be stored, and loaded in a new process"
    if round_trip.is_compared:
        same = f"which predicts the same ({round_trip.n_queries} queries)"
        checks.ok(f"{stored}, {same}", round_trip.duration_s)
    else:
        checks.ok(stored, round_trip.duration_s)
        reason = "see the warning above" if round_trip.n_queries else "there are no `queries`"
        checks.left_out(f"predictions before and after storage are not compared: {reason}")
    if tuned.test_score is not None:
        score = f"{tuned.test_score:.6g}"
        checks.ok(f"loaded from its parameters, it evaluates to {score} on the test dataset", tuned.test_s)
