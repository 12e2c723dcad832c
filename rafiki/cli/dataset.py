"""`rafiki dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.options import Json, Server, Task, Yes, complete_task, confirm, examples
from rafiki.cli.output import (
    Columns,
    bytes_text,
    failure_text,
    say,
    show_row,
    show_rows,
    text,
    time_of,
)
from rafiki.cli.resolve import dataset_id
from rafiki.client.steps import Row
from rafiki.constants import DatasetStatus
from rafiki.errors import InvalidDatasetError

app = typer.Typer(help="Datasets: upload, look at, name their classes, delete.", no_args_is_help=True)

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="Its name or id.")]

_MAX_STATS = 50

_COLUMNS: Columns = {
    "name": "name",
    "task": "task",
    "status": "status",
    "size": lambda row: bytes_text(row["size_bytes"]),
    "created": time_of("datetime_created"),
    "id": "id",
}


@app.command("list", epilog=examples("rafiki dataset list --task IMAGE_CLASSIFICATION"))
def list_datasets(task: Task = None, server: Server = None, as_json: Json = False) -> None:
    """Your datasets."""
    with sign_in(server) as client:
        show_rows(client.get_datasets(task), _COLUMNS, as_json)


@app.command(
    epilog=examples(
        "rafiki dataset create digits data/digits.zip --task IMAGE_CLASSIFICATION",
        "rafiki dataset create pets pets.zip --task IMAGE_CLASSIFICATION --labels cat,dog",
        "rafiki dataset create titanic --url https://x.org/t.csv --task TABULAR_CLASSIFICATION",
    )
)
def create(
    name: Annotated[str, typer.Argument(help="What it will be called.")],
    task: Annotated[str, typer.Option(help="What is to be learnt from it.", autocompletion=complete_task)],
    file: Annotated[Path | None, typer.Argument(help="A file in the task's format.", dir_okay=False)] = None,
    url: Annotated[str | None, typer.Option(help="Where the server finds it, in place of a file.")] = None,
    labels: Annotated[str | None, typer.Option(help="Names of the classes 0, 1, ..., with commas between.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until all of it has been checked.")] = True,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Upload a dataset, or have the server fetch one. Ends with 1 where its check finds it unusable."""
    if (file is None) == (url is None):
        raise typer.BadParameter("give either a FILE or --url")
    with sign_in(server) as client:
        names = labels.split(",") if labels else None
        dataset = client.create_dataset(name, task, file, url, names, progress=not as_json)
        if wait:
            dataset = client.wait_until_dataset_is_checked(dataset["id"])
    _show(dataset, as_json)
    if dataset.get("status") == DatasetStatus.INVALID:
        raise InvalidDatasetError(f"dataset {name!r} is unusable: {failure_text(dataset.get('error'))}")


@app.command(epilog=examples("rafiki dataset show digits"))
def show(dataset: Dataset, server: Server = None, as_json: Json = False) -> None:
    """One dataset: what its check found, and its statistics."""
    with sign_in(server) as client:
        found = client.get_dataset(dataset_id(client, dataset))
    _show(found, as_json)


@app.command(epilog=examples("rafiki dataset preview digits --limit 3"))
def preview(
    dataset: Dataset,
    limit: Annotated[int | None, typer.Option(min=1, help="How many items.")] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Some items from all over a dataset: what a query would be, and its label."""
    with sign_in(server) as client:
        found = client.get_dataset_preview(dataset_id(client, dataset), limit)
    show_rows(found, {"label": "label", "query": lambda item: _short(item["query"])}, as_json)


@app.command(epilog=examples("rafiki dataset label pets cat,dog", "rafiki dataset label pets --none"))
def label(
    dataset: Dataset,
    labels: Annotated[
        str | None, typer.Argument(help="Names of the classes 0, 1, ..., with commas between.", show_default=False)
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="They have no names any more.")] = False,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Name a dataset's classes anew: the jobs made from it show the names, too."""
    if (labels is None) != none:
        raise typer.BadParameter("give either LABELS or --none")
    with sign_in(server) as client:
        names = labels.split(",") if labels is not None else None
        show_row(client.set_dataset_labels(dataset_id(client, dataset), names), as_json)


@app.command(epilog=examples("rafiki dataset delete digits", "rafiki dataset delete digits --yes --json"))
def delete(dataset: Dataset, yes: Yes = False, server: Server = None, as_json: Json = False) -> None:
    """Delete a dataset that no train job uses."""
    with sign_in(server) as client:
        found = dataset_id(client, dataset)
        confirm(f"Deleting dataset {dataset}", yes)
        show_row(client.delete_dataset(found), as_json)


def _show(dataset: Row, as_json: bool) -> None:
    show_row(dataset, as_json, leave_out=["stats"])
    for name, value in (dataset.get("stats") or {}).items():
        if as_json:
            break
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            say(f"  {name}:")
            show_rows(value[:_MAX_STATS], _stat_columns(value), as_json=False, indent="    ")
            if len(value) > _MAX_STATS:
                say(f"    and {len(value) - _MAX_STATS} more")
        else:
            say(f"  {name}: {_short(value)}")


def _stat_columns(stats: list[Row]) -> Columns:
    keys = list(dict.fromkeys(key for one in stats for key in one))
    return {key: lambda one, key=key: _stat(one.get(key)) for key in keys}  # type: ignore[misc]


def _stat(value: Any) -> str:
    """Counts of values with the values beside them; all else on one line."""
    if isinstance(value, list):
        counted = ", ".join(f"{text(one['value'])} ({one['n']})" for one in value)
        return counted if len(counted) <= 80 else f"{counted[:77]}..."
    return _short(value)


def _short(value: Any) -> str:
    shown = text(value)
    return shown if len(shown) <= 200 else f"{shown[:197]}..."
