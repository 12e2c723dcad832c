"""What a person sees while a file goes up or down, and while a train job runs. Rich is loaded when it is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rafiki.client.steps import ByteProgress, Row
from rafiki.constants import BudgetOption, TrialStatus

#: Called with a train job and its trials, newest first.
TrainProgress = Callable[[Row, list[Row]], None]

_UNDONE = {TrialStatus.PENDING, TrialStatus.RUNNING}


@contextmanager
def of_transfer(what: str, progress: ByteProgress | bool | None) -> Iterator[ByteProgress | None]:
    """What to call with the bytes of a transfer: `progress`, or where it is True a bar, if a terminal is there."""
    if not isinstance(progress, bool):
        yield progress
    elif not progress or not sys.stderr.isatty():
        yield None
    else:
        with _bar(what) as update:
            yield update


@contextmanager
def of_train_job(progress: TrainProgress | bool | None) -> Iterator[TrainProgress | None]:
    """What to call with a train job and its trials: `progress`; or where it is True a table that moves, on a terminal,
    and elsewhere what prints a line per change.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield None
    elif not sys.stdout.isatty():
        yield _lines()
    else:
        with _moving_table() as update:
            yield update


@contextmanager
def _bar(what: str) -> Iterator[ByteProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    description = TextColumn("{task.description}", markup=False)
    with Progress(description, *columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda n_done, n_all: bars.update(bar, completed=n_done, total=n_all)


@contextmanager
def _moving_table() -> Iterator[TrainProgress]:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    # A console of our own: one that others use may have been made when there was no terminal.
    with Live(console=Console(), transient=True, auto_refresh=False) as live:

        def update(job: Row, trials: list[Row]) -> None:
            n_trials = job["budget"].get(BudgetOption.MODEL_TRIAL_COUNT, -1)
            of = f" of {n_trials}" if n_trials >= 0 else ""
            title = Text(f"{job['app']} version {job['app_version']}: {job['status']}")
            table = Table("model", "done", "running", "failed", "best score", title=title, title_justify="left")
            for one in progress_of_models(trials):
                cells = (one["model"], f"{one['done']}{of}", one["running"], one["failed"], _score(one["best"]))
                table.add_row(*(Text(str(cell)) for cell in cells))
            live.update(table, refresh=True)

        yield update


def _lines() -> TrainProgress:
    said = ""

    def update(job: Row, trials: list[Row]) -> None:
        nonlocal said
        models = "; ".join(map(_sentence, progress_of_models(trials))) or "no trial yet"
        line = f"{job['app']} version {job['app_version']} {job['status']}: {models}"
        if line != said:
            said = line
            print(line, flush=True)

    return update


def _sentence(one: Row) -> str:
    failed = f", {one['failed']} failed" if one["failed"] else ""
    return f"{one['model']} {one['done']} done, {one['running']} running{failed}, best score {_score(one['best'])}"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def progress_of_models(trials: list[Row]) -> list[Row]:
    """Per model of a job's trials: `{model, done, running, failed, best}`, `failed` ones being among the done."""
    found: dict[str, Row] = {}
    for trial in reversed(trials):
        start: Row = {"model": trial["model_name"], "done": 0, "running": 0, "failed": 0, "best": None}
        one = found.setdefault(trial["model_name"], start)
        if trial["status"] in _UNDONE:
            one["running"] += 1
        else:
            one["done"] += 1
            one["failed"] += trial["status"] == TrialStatus.ERRORED
        scores = [score for score in (one["best"], trial["score"]) if score is not None]
        one["best"] = max(scores, default=None)
    return list(found.values())
