"""`rafiki train`: train jobs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.options import AppVersion, Budget, Json, Limit, Server, Yes, confirm, examples, pairs
from rafiki.cli.output import (
    Columns,
    failure_text,
    knobs_text,
    print_json,
    say,
    seconds_text,
    show_row,
    show_rows,
    time_of,
)
from rafiki.cli.resolve import dataset_id, model_id, user_id
from rafiki.client import Client
from rafiki.client.steps import Row
from rafiki.constants import BudgetOption, TrainJobStatus
from rafiki.errors import TrainJobFailedError

app = typer.Typer(help="Train jobs: start, watch, stop; their trials.", no_args_is_help=True)

App = Annotated[str, typer.Argument(metavar="APP", help="Name of the app.")]

_COLUMNS: Columns = {
    "app": "app",
    "version": "app_version",
    "status": "status",
    "task": "task",
    "started": time_of("datetime_started"),
    "stopped": time_of("datetime_stopped"),
    "id": "id",
}
_BEST_COLUMNS: Columns = {
    "model": "model_name",
    "no": "no",
    "status": "status",
    "score": "score",
    "seconds": seconds_text,
    "knobs": knobs_text,
}
_TRIAL_COLUMNS: Columns = {**_BEST_COLUMNS, "id": "id"}


@app.command(
    epilog=examples(
        "rafiki train start digits --train digits_train --val digits_val --trials 5 --watch",
        "rafiki train start digits --train digits --hours 0.5 --model SkDt --model SkSvm",
        "rafiki train start titanic --train titanic --arg target=Survived --budget HARD_LIMIT=true",
        "rafiki train start digits --train digits --limit trial_time_s=600 --limit memory_bytes=4000000000",
    )
)
def start(
    app: App,
    train: Annotated[str, typer.Option(metavar="DATASET", help="Dataset to learn from: its name or id.")],
    val: Annotated[
        str | None, typer.Option(metavar="DATASET", help="Dataset to score by. Default: a part of the other.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Default: the dataset's.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Name or id; can be repeated. Default: all available ones of the task.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="Time for the search. Default: 0.1.")] = None,
    trials: Annotated[int | None, typer.Option(min=-1, help="Trials of each model. Default: no limit.")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs over all models. Default: 0.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trials at the same time. Default: as many as fit.")
    ] = None,
    budget: Budget = None,
    arg: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Argument of the models' train; can be repeated.")
    ] = None,
    limit: Limit = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show its progress until it has stopped.")] = False,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Start the search for a good model, on your data, within a budget. It is the app's next version."""
    given = {
        BudgetOption.TIME_HOURS: hours,
        BudgetOption.MODEL_TRIAL_COUNT: trials,
        BudgetOption.GPU_COUNT: gpus,
        BudgetOption.WORKER_COUNT: workers,
    }
    full_budget = {key: value for key, value in given.items() if value is not None} | pairs(budget, "--budget")
    train_args, limits = pairs(arg, "--arg") or None, pairs(limit, "--limit") or None
    with sign_in(server) as client:
        train_id = dataset_id(client, train)
        val_id = dataset_id(client, val) if val else None
        task = task or client.get_dataset(train_id)["task"]
        model_ids = [model_id(client, one, task) for one in model] if model else None
        job = client.create_train_job(app, task, train_id, val_id, full_budget, model_ids, train_args, limits)
        if watch:
            _watch(client, app, job["app_version"], as_json)
            return
    show_row(job, as_json)
    say(f"To follow it: rafiki train watch {app}", as_json, to_stderr=True)


@app.command("list", epilog=examples("rafiki train list", "rafiki train list --app digits"))
def list_jobs(
    app: Annotated[str | None, typer.Option(help="Only those of an app.")] = None,
    user: Annotated[str | None, typer.Option(help="Those of another user: an email or id. For admins.")] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Your train jobs."""
    with sign_in(server) as client:
        if app is not None:
            jobs = client.get_train_jobs_of_app(app)
        else:
            jobs = client.get_train_jobs_by_user(user_id(client, user) if user else None)
    show_rows(jobs, _COLUMNS, as_json)


@app.command(epilog=examples("rafiki train show digits", "rafiki train show digits --version 2 --json"))
def show(app: App, version: AppVersion = -1, server: Server = None, as_json: Json = False) -> None:
    """One train job."""
    with sign_in(server) as client:
        show_row(client.get_train_job(app, version), as_json)


@app.command(epilog=examples("rafiki train watch digits"))
def watch(
    app: App,
    version: AppVersion = -1,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="Give up after so long.")] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Show a train job's progress until it has stopped. Ends with 1 where it failed."""
    with sign_in(server) as client:
        _watch(client, app, version, as_json, timeout)


@app.command(epilog=examples("rafiki train stop digits"))
def stop(app: App, version: AppVersion = -1, server: Server = None, as_json: Json = False) -> None:
    """Stop a train job, and return when it has stopped. What its trials found is kept."""
    with sign_in(server) as client:
        show_row(client.stop_train_job(app, version), as_json)


@app.command(epilog=examples("rafiki train delete digits --version 1"))
def delete(
    app: App,
    version: Annotated[int, typer.Option("--version", metavar="N", min=1, help="Version of the app.")],
    user: Annotated[str | None, typer.Option(help="Whose, where it is not yours: an email or id. For admins.")] = None,
    yes: Yes = False,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Delete a train job that has ended, with its trials, their logs and parameters."""
    with sign_in(server) as client:
        owner_id = user_id(client, user) if user else None
        confirm(f"Deleting version {version} of {app}", yes)
        show_row(client.delete_train_job(app, version, owner_id), as_json)


@app.command(epilog=examples("rafiki train trials digits"))
def trials(app: App, version: AppVersion = -1, server: Server = None, as_json: Json = False) -> None:
    """All trials of a train job, the newest first."""
    with sign_in(server) as client:
        show_rows(client.get_trials_of_train_job(app, version), _TRIAL_COLUMNS, as_json)


@app.command(epilog=examples("rafiki train best digits --count 5"))
def best(
    app: App,
    version: AppVersion = -1,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 2,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """The best trials of a train job, the best first."""
    with sign_in(server) as client:
        show_rows(client.get_best_trials_of_train_job(app, version, count), _TRIAL_COLUMNS, as_json)


def _watch(client: Client, app: str, version: int, as_json: bool, timeout: float | None = None) -> None:
    job = client.wait_until_train_job_has_stopped(app, version, timeout, progress=not as_json)
    _show_end(client, job, as_json)


def _show_end(client: Client, job: Row, as_json: bool) -> None:
    if as_json:
        print_json(job)
    else:
        found: list[dict[str, Any]] = client.get_best_trials_of_train_job(job["app"], job["app_version"], 5)
        show_rows(found, _BEST_COLUMNS, as_json, nothing="No trial was completed.")
    if job["status"] != TrainJobStatus.STOPPED:
        raise TrainJobFailedError(f"the train job of {job['app']} ended {job['status']}: {failure_text(job['error'])}")
