"""`rafiki model`: model templates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.options import Json, Server, Task, Yes, complete_task, confirm, examples, texts
from rafiki.cli.output import Columns, failure_text, print_json, say, show_row, show_rows, time_of
from rafiki.cli.resolve import own_model_id
from rafiki.constants import ModelAccessRight, ModelStatus
from rafiki.errors import InvalidModelError

app = typer.Typer(help="Model templates: submit, look at, download, delete.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Its name or id.")]

_COLUMNS: Columns = {
    "name": "name",
    "version": "version",
    "task": "task",
    "class": "model_class",
    "status": "status",
    "access": "access_right",
    "created": time_of("datetime_created"),
    "id": "id",
}
_STARTER_COLUMNS: Columns = {"name": "name", "task": "task", "outcome": "outcome", "status": "status", "id": "id"}


@app.command("list", epilog=examples("rafiki model list", "rafiki model list --available --task POS_TAGGING"))
def list_models(
    task: Task = None,
    available: Annotated[bool, typer.Option("--available", help="All that you may use: public ones too.")] = False,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Your models (for model developers), or with --available all that you may use."""
    with sign_in(server) as client:
        models = client.get_available_models(task) if available else client.get_models(task)
    show_rows(models, _COLUMNS, as_json)


@app.command(
    epilog=examples(
        "rafiki model create SkDt.py --class SkDt --task IMAGE_CLASSIFICATION",
        "rafiki model create Net.py --class Net --task POS_TAGGING --dependency torch=2.13.0 --public",
        "rafiki model create SkDt.py --class SkDt --task IMAGE_CLASSIFICATION --new-version",
    )
)
def create(
    file: Annotated[Path, typer.Argument(help="The template's Python file.", exists=True, dir_okay=False)],
    model_class: Annotated[str, typer.Option("--class", help="Name of the class in it.")],
    task: Annotated[str, typer.Option(help="What it can learn.", autocompletion=complete_task)],
    name: Annotated[str | None, typer.Option(help="What it will be called. Default: the class's name.")] = None,
    dependency: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VERSION", help="What it imports; can be repeated.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Everybody may use it.")] = False,
    docker_image: Annotated[str | None, typer.Option(help="Image to run it in.")] = None,
    new_version: Annotated[
        bool, typer.Option("--new-version", help="A model of that name may exist: this is its next version.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has been checked.")] = True,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Submit a model template. Ends with 1 where its check finds it unusable."""
    access_right = ModelAccessRight.PUBLIC if public else ModelAccessRight.PRIVATE
    dependencies = texts(dependency, "--dependency")
    with sign_in(server) as client:
        model = client.create_model(
            name or model_class, task, file, model_class, dependencies, access_right, docker_image, new_version
        )
        model = client.wait_until_model_is_checked(model["id"]) if wait else model
    show_row(model, as_json)
    if model.get("status") == ModelStatus.INVALID:
        raise InvalidModelError(f"model {model['name']!r} is unusable: {failure_text(model.get('error'))}")


@app.command(epilog=examples("rafiki model show SkDt"))
def show(model: Model, server: Server = None, as_json: Json = False) -> None:
    """One of your models: what its check found."""
    with sign_in(server) as client:
        show_row(client.get_model(own_model_id(client, model)), as_json)


@app.command(epilog=examples("rafiki model download SkDt SkDt.py"))
def download(
    model: Model,
    out: Annotated[Path, typer.Argument(help="Where to write its file.", dir_okay=False)],
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Write one of your models' Python file."""
    with sign_in(server) as client:
        found = client.download_model_file(own_model_id(client, model), out)
    if as_json:
        print_json(found)
    say(f"Wrote {out}.", as_json)


@app.command(epilog=examples("rafiki model delete SkDt"))
def delete(model: Model, yes: Yes = False, server: Server = None, as_json: Json = False) -> None:
    """Delete one of your models that no train job uses."""
    with sign_in(server) as client:
        found = own_model_id(client, model)
        confirm(f"Deleting model {model}", yes)
        show_row(client.delete_model(found), as_json)


@app.command(
    "install-starters",
    epilog=examples("rafiki model install-starters", "rafiki model install-starters --task POS_TAGGING --no-wait"),
)
def install_starters(
    task: Annotated[
        list[str] | None,
        typer.Option(help="Only those of a task; can be repeated.", autocompletion=complete_task),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until they have been checked.")] = True,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Publish Rafiki's starter models for all users, so that there is something to train with.

    Those that are there already stay as they are. Ends with 1 where one turns out unusable.
    """
    from rafiki import starters

    with sign_in(server) as client:
        try:
            models = starters.install_starters(client, task or None)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--task") from error
        for model in models if wait else ():
            if model["outcome"] != "unchanged":
                checked = client.wait_until_model_is_checked(model["id"])
                model |= {"status": checked["status"], "error": checked["error"]}
    show_rows(models, _STARTER_COLUMNS, as_json)
    unusable = [f"{model['name']}: {failure_text(model['error'])}" for model in models if model.get("error")]
    if unusable:
        raise InvalidModelError(f"{len(unusable)} starter models are unusable: {'; '.join(unusable)}")
