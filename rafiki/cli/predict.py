"""`rafiki predict`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.options import AppVersion, Json, Server, examples
from rafiki.cli.output import failure_text, print_json, text
from rafiki.cli.queries import read_queries, read_query
from rafiki.client.steps import Row

PREDICT_EXAMPLES = examples(
    "rafiki predict digits --query digit.png",
    "rafiki predict digits --query one.png --query two.png --json",
    'rafiki predict titanic --query \'{"Sex": "female", "Age": 30}\'',
    "rafiki predict titanic --queries passengers.csv",
    "rafiki predict titanic --queries passengers.csv --explain",
    'echo \'["Time", "flies"]\' | rafiki predict tagger --query -',
)

_N_CLASSES_SHOWN = 3


def predict(
    app: Annotated[str, typer.Argument(metavar="APP", help="Name of the app.")],
    query: Annotated[
        list[str] | None,
        typer.Option(metavar="QUERY", help="JSON, @FILE, an image or .npy file, or - for stdin; can be repeated."),
    ] = None,
    queries: Annotated[
        str | None, typer.Option(metavar="QUERIES", help="Many at once: a JSON list, @FILE or -; or a .csv file.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each member of the ensemble predicted.")] = False,
    version: AppVersion = -1,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Ask what an app serves. With --json: the prediction, or for several queries their list."""
    if not query and queries is None:
        raise typer.BadParameter("give --query or --queries")
    asked = [read_query(one) for one in query or ()] + (read_queries(queries) if queries is not None else [])
    is_single = queries is None and len(asked) == 1
    with sign_in(server) as client:
        answer: Row = (
            client.explain(app, asked, version)
            if explain
            else {"predictions": client.predict(app, queries=asked, app_version=version)}
        )
        labels = None if as_json else client.get_running_inference_job(app, version).get("labels")
    predictions = answer["predictions"]
    if as_json:
        print_json(answer if explain else predictions[0] if is_single else predictions)
        return
    for i, prediction in enumerate(predictions):
        print(prediction_text(prediction, labels))
        for member in answer["explanation"]["members"] if explain else ():
            print(f"  {member['model']}: {_said(member, i, labels)}")


def _said(member: Row, i: int, labels: Sequence[str] | None) -> str:
    if member["predictions"] is None:
        return failure_text(member["failure"]) if member["failure"] else f"nothing; it is {member['state']}"
    return prediction_text(member["predictions"][i], labels)


def prediction_text(prediction: Any, labels: Sequence[str] | None) -> str:
    """Probabilities as their best classes; all else as it is."""
    if not _are_probabilities(prediction):
        return text(prediction)
    best = sorted(range(len(prediction)), key=prediction.__getitem__, reverse=True)[:_N_CLASSES_SHOWN]
    return ", ".join(f"{_class_name(one, labels)}: {prediction[one]:.3f}" for one in best)


def _class_name(one: int, labels: Sequence[str] | None) -> str:
    return f"{labels[one]} (class {one})" if labels and one < len(labels) else f"class {one}"


def _are_probabilities(prediction: Any) -> bool:
    return (
        isinstance(prediction, list)
        and len(prediction) > 1
        and all(isinstance(value, float) and 0 <= value <= 1 for value in prediction)
        and abs(sum(prediction) - 1) < 1e-3
    )
