"""The inference half: from parameters to predictions, as in service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rafiki.advisor import Proposal
from rafiki.dev import report
from rafiki.dev.template import blaming, load_trained
from rafiki.entities import Failure, FailureCode
from rafiki.errors import InvalidPredictionError
from rafiki.model import BaseModel, Params
from rafiki.tasks import Task, get_task
from rafiki.worker.failures import TrialFailed
from rafiki.worker.trial import check_predictions


def make_predictions(
    queries: Sequence[Any] | None, task: str, py_model_class: type[BaseModel], proposal: Proposal, params: Params
) -> tuple[list[Any] | None, BaseModel | None]:
    """Load a template with the knobs of `proposal` and with `params`, and predict as the platform would.

    Queries are in their JSON form (or arrays); they are decoded, and predictions checked and combined, by the task.
    Returns the predictions, as plain JSON values, and the instance, loaded and usable; destroying it is up to the
    caller. `(None, None)` where `queries` is None. Raises `InvalidQueryError` for a query that is not what the task
    says, and `TrialFailed` for whatever the template does wrong.
    """
    if queries is None:
        return None, None
    report.section(f"Predicting with {py_model_class.__name__}")
    served_by = get_task(task)
    decoded = [served_by.decode_query(query) for query in queries]
    model = load_trained(py_model_class, proposal.knobs, params)
    with blaming(py_model_class):
        answers = model.predict(list(decoded))
    votes = _checked(served_by, decoded, check_predictions(answers, len(decoded)))
    predictions = served_by.combine_batch([votes])
    for i, prediction in enumerate(predictions):
        text = str(prediction)
        report.note(f"Query {i}: {text if len(text) <= 100 else text[:97] + '...'}")
    return predictions, model


def _checked(task: Task, decoded: Sequence[Any], predictions: Sequence[Any]) -> list[Any]:
    """The predictions, each as the task says and as JSON can carry it."""
    checked = []
    for i, (query, prediction) in enumerate(zip(decoded, predictions, strict=True)):
        try:
            checked.append(task.check_prediction(query, prediction))
            json.dumps(checked[-1])
        except (InvalidPredictionError, TypeError, ValueError) as error:
            message = f"The prediction for query {i} cannot be served for task {task.name}: {error}."
            hint = "`predict` returns a list with one JSON-serialisable prediction per query."
            raise TrialFailed(Failure(FailureCode.BAD_PREDICTIONS, message, hint)) from error
    return checked
