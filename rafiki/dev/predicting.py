"""The inference half: from parameters to predictions, as in service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rafiki.advisor import Proposal
from rafiki.dev import report
from rafiki.dev.template import load_trained, predict, told_to_the_author
from rafiki.model import BaseModel, Params
from rafiki.tasks import get_task


@told_to_the_author
def make_predictions(
    queries: Sequence[Any] | None, task: str, py_model_class: type[BaseModel], proposal: Proposal, params: Params
) -> tuple[list[Any] | None, BaseModel | None]:
    """Load a template with the knobs of `proposal` and with `params`, and predict as the platform would.

    Queries are in their JSON form (or arrays); they are decoded, and predictions checked and combined, by the task.
    Returns the predictions, as plain JSON values, and the instance, loaded and usable; destroying it is up to the
    caller. `(None, None)` where `queries` is None. Raises `InvalidQueryError` for a query that is not what the task
    says, and `InvalidModelClassError` for whatever the template does wrong.
    """
    return predict_queries(queries, task, py_model_class, proposal, params)


def predict_queries(
    queries: Sequence[Any] | None, task: str, model_class: type[BaseModel], proposal: Proposal, params: Params
) -> tuple[list[Any] | None, BaseModel | None]:
    """What `make_predictions` does. Raises `TrialFailed`."""
    if queries is None:
        return None, None
    report.section(f"Predicting with {model_class.__name__}")
    served_by = get_task(task)
    decoded = [served_by.decode_query(query) for query in queries]
    model = load_trained(model_class, proposal.knobs, params)
    predictions = served_by.combine_batch([predict(model, served_by, decoded)])
    for i, prediction in enumerate(predictions):
        report.note(f"Query {i}: {report.shown(prediction)}")
    return predictions, model
