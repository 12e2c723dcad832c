"""`rafiki logs`: what the trials of an app's train job log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.log_view import LogPrinter
from rafiki.cli.options import AppVersion, Json, Server, examples
from rafiki.cli.output import print_json
from rafiki.client import Client
from rafiki.client.steps import Row
from rafiki.constants import TrainJobStatus, TrialStatus

LOGS_EXAMPLES = examples("rafiki logs digits", "rafiki logs digits --follow", "rafiki logs digits --json")

_LIVE = {TrainJobStatus.STARTED, TrainJobStatus.RUNNING}
_UNDONE = {TrialStatus.PENDING, TrialStatus.RUNNING}


def logs(
    app: Annotated[str, typer.Argument(metavar="APP", help="Name of the app.")],
    version: AppVersion = -1,
    trials: Annotated[int, typer.Option(min=1, help="Of how many trials, the newest ones.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the train job has stopped.")] = False,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """What the trials of an app's train job logged, with each trial's model and number.

    With --json: a list of trials, each with its log; with --follow a line of JSON per trial, when it has ended.
    """
    with sign_in(server) as client:
        version = client.get_train_job(app, version)["app_version"]
        found = _trial_logs(client, app, version, trials, follow)
        if as_json and follow:
            for trial in found:
                if trial["status"] not in _UNDONE:
                    print(json.dumps(trial, ensure_ascii=False), flush=True)
        elif as_json:
            print_json(list(found))
        else:
            _show(found)


def _show(found: Iterator[Row]) -> None:
    printers: dict[str, LogPrinter] = {}
    for trial in found:
        prefix = f"[{trial['model_name']} {trial['no']}] "
        printers.setdefault(trial["trial_id"], LogPrinter(prefix)).show(trial)


def _trial_logs(client: Client, app: str, version: int, n_trials: int, follow: bool) -> Iterator[Row]:
    """The logs of the newest trials, the oldest first; with `follow` again and again, each until its trial ended."""
    ended: set[str] = set()
    pauses = client.polling.pauses(None, "the job still runs")
    is_first = True
    while True:
        job = client.get_train_job(app, version)
        trials = client.get_trials_of_train_job(app, version)
        for trial in reversed(trials[:n_trials] if is_first else trials):
            if trial["id"] not in ended:
                yield _with_log(client, trial)
            if trial["status"] not in _UNDONE:
                ended.add(trial["id"])
        if is_first:
            ended |= {trial["id"] for trial in trials[n_trials:]}
            is_first = False
        if not follow or job["status"] not in _LIVE:
            return
        time.sleep(next(pauses))


def _with_log(client: Client, trial: Row) -> Row:
    log = client.get_trial_logs(trial["id"])
    return {"trial_id": trial["id"], **{key: trial[key] for key in ("model_name", "no", "attempt", "status")}, **log}
