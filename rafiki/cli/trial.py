"""`rafiki trial`: one trial of a train job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.log_view import LogPrinter
from rafiki.cli.options import Json, Server, examples
from rafiki.cli.output import Columns, bytes_text, print_json, say, show_row, show_rows

app = typer.Typer(help="Trials: knobs and score, logs, trained parameters.", no_args_is_help=True)

TrialId = Annotated[str, typer.Argument(metavar="TRIAL", help="Its id, as rafiki train trials says.")]

_PARAM_COLUMNS: Columns = {"name": "name", "type": "type", "shape": "shape", "value": "value"}
_EXAMPLE_ID = "5f8c5a4e-0b51-4a63-9f6a-6f6d1a3f2b11"


@app.command(epilog=examples(f"rafiki trial show {_EXAMPLE_ID}"))
def show(trial: TrialId, server: Server = None, as_json: Json = False) -> None:
    """One trial: its knobs, its score, or why it failed."""
    with sign_in(server) as client:
        show_row(client.get_trial(trial), as_json)


@app.command(epilog=examples(f"rafiki trial logs {_EXAMPLE_ID}", f"rafiki trial logs {_EXAMPLE_ID} --json"))
def logs(trial: TrialId, server: Server = None, as_json: Json = False) -> None:
    """What a trial logged: messages and metrics, in order. See also: rafiki logs APP."""
    with sign_in(server) as client:
        found = client.get_trial_logs(trial)
    if as_json:
        print_json(found)
    else:
        LogPrinter().show(found)


@app.command(
    epilog=examples(f"rafiki trial params {_EXAMPLE_ID}", f"rafiki trial params {_EXAMPLE_ID} --out best.params")
)
def params(
    trial: TrialId,
    out: Annotated[
        Path | None,
        typer.Option(help="Write them to this file; rafiki.model.params.load_params reads it.", dir_okay=False),
    ] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """A trial's trained parameters: what there is, or with --out all of it in a file."""
    with sign_in(server) as client:
        if out is not None:
            client.download_trial_parameters(trial, out, progress=not as_json)
        else:
            found = [_described(name, value) for name, value in client.get_trial_parameters(trial).items()]
    if out is None:
        show_rows(found, _PARAM_COLUMNS, as_json, nothing="The trial saved no parameters.")
        return
    size = out.stat().st_size
    if as_json:
        print_json({"path": str(out), "size_bytes": size})
    say(f"Wrote {out} ({bytes_text(size)}).", as_json)


def _described(name: str, value: Any) -> dict[str, Any]:
    """A parameter in brief: of an array its type and shape, of a scalar its value."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return {"name": name, "type": str(value.dtype), "shape": list(shape), "value": None}
    is_long = isinstance(value, str | bytes) and len(value) > 60
    shown = f"{len(value)} long" if is_long else value.hex() if isinstance(value, bytes) else value
    return {"name": name, "type": type(value).__name__, "shape": None, "value": shown}
