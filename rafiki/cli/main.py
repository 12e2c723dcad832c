"""`rafiki`: the command line's commands, and how their failures read.

There is a module per noun. What a command needs beyond the client is imported when it runs, so that `rafiki --help`
is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from rafiki import __version__
from rafiki.cli import dataset, deploy, doctor, environment, login, logs, model, predict, token, train, trial, user
from rafiki.cli.connect import sign_in
from rafiki.cli.options import Json, Server, Yes, confirm, examples
from rafiki.cli.output import show_row
from rafiki.client import RafikiConnectionError
from rafiki.errors import RafikiError

app = typer.Typer(
    name="rafiki",
    help="Rafiki: machine learning as a service that anyone can run with one command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=examples(
        "rafiki serve",
        "rafiki login --email superadmin@rafiki",
        "rafiki dataset create digits digits.zip --task IMAGE_CLASSIFICATION",
        "rafiki train start digits --train digits --watch",
        "rafiki deploy start digits",
        "rafiki predict digits --query digit.png",
    ),
)

_PLATFORM, _WORK, _YOU = "Platform", "Work", "You"


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"rafiki {__version__}")
        raise typer.Exit


@app.callback()
def rafiki(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help="Folder of everything that is kept.")]


@app.command(rich_help_panel=_PLATFORM, epilog=examples("rafiki serve", "rafiki serve --port 3000 --data-dir ~/rafiki"))
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. Default: 3000.")] = None,
    data_dir: DataDir = None,
    leave_running: Annotated[
        bool, typer.Option("--leave-running", help="When stopped, stop the server alone: its jobs go on.")
    ] = False,
) -> None:
    """Run a Rafiki server in the foreground, until Ctrl-C or SIGTERM.

    What is not given comes from RAFIKI_HOST, RAFIKI_PORT, ..., else from rafiki.toml in the current folder.
    """
    from rafiki.cli.serve import serve as run

    raise typer.Exit(run({"host": host, "port": port, "data_dir": data_dir}, leave_running))


@app.command(rich_help_panel=_PLATFORM, epilog=examples("rafiki status", "rafiki status --data-dir ~/rafiki --wait 30"))
def status(
    data_dir: DataDir = None,
    server: Server = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for it to be up.")] = 0,
    as_json: Json = False,
) -> None:
    """Say whether a server is up, and what runs there.

    Asks the server of a data folder, or else the one that all commands go to. Its running jobs are listed for who is
    signed in. Ends with 1 if no server is up.
    """
    from rafiki.cli.status import status as run

    raise typer.Exit(run(data_dir, server, as_json, wait))


@app.command(rich_help_panel=_PLATFORM, epilog=examples("rafiki demo", "rafiki demo --keep"))
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server and what it serves up at the end.")] = False,
) -> None:
    """Go through Rafiki's main job on real data: two templates are tuned, then served as one ensemble.

    Starts a server of its own on a free port, with a data folder of its own, and stops and removes both at the end.
    """
    from rafiki.cli.demo import demo as run

    raise typer.Exit(run(keep))


@app.command("stop-all-jobs", rich_help_panel=_PLATFORM, epilog=examples("rafiki stop-all-jobs --yes"))
def stop_all_jobs(yes: Yes = False, server: Server = None, as_json: Json = False) -> None:
    """Stop all train jobs and deployments of all users. For the superadmin."""
    with sign_in(server) as client:
        confirm("Stopping all jobs of all users", yes)
        show_row(client.stop_all_jobs(), as_json)


app.command(rich_help_panel=_PLATFORM, epilog=examples("rafiki doctor", "rafiki doctor --json"))(doctor.doctor)
app.add_typer(user.app, name="user", rich_help_panel=_PLATFORM)
app.add_typer(environment.app, name="environment", rich_help_panel=_PLATFORM)

app.command(rich_help_panel=_YOU, epilog=login.LOGIN_EXAMPLES)(login.login)
app.command(rich_help_panel=_YOU, epilog=examples("rafiki logout"))(login.logout)
app.command(rich_help_panel=_YOU, epilog=examples("rafiki whoami", "rafiki whoami --json"))(login.whoami)
app.add_typer(token.app, name="token", rich_help_panel=_YOU)

app.add_typer(dataset.app, name="dataset", rich_help_panel=_WORK)
app.add_typer(model.app, name="model", rich_help_panel=_WORK)
app.add_typer(train.app, name="train", rich_help_panel=_WORK)
app.add_typer(trial.app, name="trial", rich_help_panel=_WORK)
app.command(rich_help_panel=_WORK, epilog=logs.LOGS_EXAMPLES)(logs.logs)
app.add_typer(deploy.app, name="deploy", rich_help_panel=_WORK)
app.command(rich_help_panel=_WORK, epilog=predict.PREDICT_EXAMPLES)(predict.predict)


@cache
def _command() -> Callable[..., Any]:
    return typer.main.get_command(app)


def main() -> None:
    """Runs the command line; every failure that has a name ends with 1 and says name, sentence and hint."""
    try:
        _command()(prog_name="rafiki")
    except RafikiConnectionError as error:
        is_sign_in_over = error.status == 401 and error.name == "UnauthorizedError"
        _fail(
            f"{error.name}: {error.message}", "sign in: rafiki login --email EMAIL" if is_sign_in_over else error.hint
        )
    except RafikiError as error:
        _fail(f"{error.name}: {error.message}", error.hint)
    except BrokenPipeError:  # whoever read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a port that is taken, a folder that cannot be written, a wait that was over
        _fail(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(sentence: str, hint: str = "") -> None:
    typer.secho(sentence, err=True, fg=typer.colors.RED)
    if hint:
        typer.echo(f"  {hint}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
