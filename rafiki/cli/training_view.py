"""A train job's progress: a table that moves where a person looks, a line per change where nobody does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rafiki.cli.output import console, text
from rafiki.client.steps import Row
from rafiki.client.train_jobs import TrainProgress
from rafiki.constants import BudgetOption, TrialStatus

_UNDONE = {TrialStatus.PENDING, TrialStatus.RUNNING}


@contextmanager
def watching(as_json: bool) -> Iterator[TrainProgress | None]:
    """What to call with a train job and its trials whenever they may have changed."""
    if as_json:
        yield None
    elif sys.stdout.isatty():
        with _moving_table() as update:
            yield update
    else:
        yield _lines()


def progress_of_models(trials: list[Row]) -> list[Row]:
    """Per model of a job's trials: `{model, done, running, failed, best}`."""
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


def _lines() -> TrainProgress:
    said = ""

    def update(job: Row, trials: list[Row]) -> None:
        nonlocal said
        models = [_sentence(one) for one in progress_of_models(trials)]
        line = f"{job['app']} version {job['app_version']} {job['status']}: {'; '.join(models) or 'no trial yet'}"
        if line != said:
            said = line
            print(line, flush=True)

    return update


def _sentence(one: Row) -> str:
    failed = f", {one['failed']} failed" if one["failed"] else ""
    return f"{one['model']} {one['done']} done, {one['running']} running{failed}, best score {text(one['best'])}"


@contextmanager
def _moving_table() -> Iterator[Callable[[Row, list[Row]], None]]:
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    with Live(console=console(), transient=True, auto_refresh=False) as live:

        def update(job: Row, trials: list[Row]) -> None:
            n_trials = job["budget"].get(BudgetOption.MODEL_TRIAL_COUNT, -1)
            of = f" of {n_trials}" if n_trials >= 0 else ""
            title = f"{job['app']} version {job['app_version']}: {job['status']}"
            table = Table("model", "done", "running", "failed", "best score", title=Text(title), title_justify="left")
            for one in progress_of_models(trials):
                cells = (one["model"], f"{one['done']}{of}", one["running"], one["failed"], text(one["best"]))
                table.add_row(*(Text(str(cell)) for cell in cells))
            live.update(table, refresh=True)

        yield update
