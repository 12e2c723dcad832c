"""`rafiki deploy`: inference jobs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.options import AppVersion, Budget, Json, Server, examples, pairs
from rafiki.cli.output import Columns, print_json, say, show_row, show_rows, time_of
from rafiki.cli.resolve import user_id
from rafiki.constants import InferenceBudgetOption

app = typer.Typer(help="Deployments: serve the best trials of an app as one ensemble.", no_args_is_help=True)

App = Annotated[str, typer.Argument(metavar="APP", help="Name of the app.")]

_COLUMNS: Columns = {
    "app": "app",
    "version": "app_version",
    "status": "status",
    "predictor": "predictor_host",
    "started": time_of("datetime_started"),
    "stopped": time_of("datetime_stopped"),
    "id": "id",
}


@app.command(
    epilog=examples(
        "rafiki deploy start digits", "rafiki deploy start digits --version 2 --members 3 --gpus 1 --no-wait"
    )
)
def start(
    app: App,
    version: AppVersion = -1,
    members: Annotated[int | None, typer.Option(min=1, help="Most members of the ensemble. Default: 4.")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs over all members. Default: 0.")] = None,
    budget: Budget = None,
    wait: Annotated[bool, typer.Option(help="Wait until it answers queries.")] = True,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Serve the best trials of a train job that runs no more."""
    given = {InferenceBudgetOption.MAX_MEMBERS: members, InferenceBudgetOption.GPU_COUNT: gpus}
    full_budget: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    with sign_in(server) as client:
        job = client.create_inference_job(app, version, full_budget | pairs(budget, "--budget"))
        if wait:
            job = client.wait_until_inference_job_is_running(app, job["app_version"])
    if as_json:
        print_json(job)
    say(f"Version {job['app_version']} of {app}: POST queries to http://{job['predictor_host']}/predict", as_json)


@app.command("list", epilog=examples("rafiki deploy list", "rafiki deploy list --app digits"))
def list_jobs(
    app: Annotated[str | None, typer.Option(help="Only those of an app.")] = None,
    user: Annotated[str | None, typer.Option(help="Those of another user: an email or id. For admins.")] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Your deployments, also those that have ended."""
    with sign_in(server) as client:
        if app is not None:
            jobs = client.get_inference_jobs_of_app(app)
        else:
            jobs = client.get_inference_jobs_by_user(user_id(client, user) if user else None)
    show_rows(jobs, _COLUMNS, as_json)


@app.command(epilog=examples("rafiki deploy show digits"))
def show(app: App, version: AppVersion = -1, server: Server = None, as_json: Json = False) -> None:
    """The deployment of an app that is up; without --version the latest."""
    with sign_in(server) as client:
        show_row(client.get_running_inference_job(app, version), as_json)


@app.command(epilog=examples("rafiki deploy stop digits"))
def stop(app: App, version: AppVersion = -1, server: Server = None, as_json: Json = False) -> None:
    """Stop serving an app."""
    with sign_in(server) as client:
        show_row(client.stop_inference_job(app, version), as_json)
