"""`rafiki`: the command line's commands, and how their failures read.

Each command lives in a module of its own that is imported when it runs, so that `rafiki --help` is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rafiki.client import RafikiConnectionError
from rafiki.errors import RafikiError

app = typer.Typer(
    name="rafiki",
    help="Rafiki: machine learning as a service that anyone can run with one command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help="Folder of everything that is kept.")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. [default: 3000]")] = None,
    data_dir: DataDir = None,
    leave_running: Annotated[
        bool, typer.Option("--leave-running", help="When stopped, stop the server alone: its jobs go on.")
    ] = False,
) -> None:
    """Run a Rafiki server in the foreground, until Ctrl-C or SIGTERM.

    What is not given comes from RAFIKI_HOST, RAFIKI_PORT, ..., else from rafiki.toml in the current folder.

    Example: rafiki serve --port 3000 --data-dir ~/rafiki
    """
    from rafiki.cli.serve import serve as run

    raise typer.Exit(run({"host": host, "port": port, "data_dir": data_dir}, leave_running))


@app.command()
def status(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for it to be up.")] = 0,
) -> None:
    """Say whether a server is up, and what runs there.

    Asks the server of a data folder, or else the one at RAFIKI_ADDR and ADMIN_EXT_PORT (localhost, 3000). Its running
    jobs are listed where RAFIKI_EMAIL and RAFIKI_PASSWORD say who asks. Ends with 1 if no server is up.

    Example: RAFIKI_EMAIL=me@example.com RAFIKI_PASSWORD=... rafiki status
    """
    from rafiki.cli.status import status as run

    raise typer.Exit(run(data_dir, as_json, wait))


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server and what it serves up at the end.")] = False,
) -> None:
    """Go through Rafiki's main job on real data: two templates are tuned, then served as one ensemble.

    Starts a server of its own on a free port, with a data folder of its own, and stops and removes both at the end.
    """
    from rafiki.cli.demo import demo as run

    raise typer.Exit(run(keep))


def main() -> None:
    try:
        app()
    except (RafikiError, RafikiConnectionError) as error:
        _fail(f"{error.name}: {error.message}", error.hint)
    except OSError as error:  # a port that is taken, a folder that cannot be written
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
