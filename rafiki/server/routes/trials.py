"""Trials, and what they leave: logs and trained parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.responses import Response

from rafiki.constants import TrialStatus
from rafiki.entities import TrainJob, Trial
from rafiki.errors import InvalidTrialError
from rafiki.model.log import LoggerUtils
from rafiki.server.access import Named, guarded_router
from rafiki.server.answers import TrialAnswer, TrialLogAnswer
from rafiki.server.context import Ctx
from rafiki.server.downloads import send_file
from rafiki.server.openapi import BYTES_RESPONSE

router = guarded_router("trials")

_Count = Annotated[int, Query(ge=0, le=2**31 - 1)]


@router.get("/train_jobs/{app}/{version}/trials", response_model=list[TrialAnswer])
def list_trials(
    app: str,
    version: str,
    job: Annotated[TrainJob | None, Named],
    context: Ctx,
    type: Literal["best"] | None = None,  # the contract's name
    max_count: _Count | None = None,
    limit: _Count = 1000,
    offset: _Count = 0,
) -> list[Trial]:
    """The trials of a train job of yours, newest first; with `type=best` the completed and saved ones, best first."""
    if job is None:
        return []
    if type == "best":
        return context.store.trials.best(job.id, max_count)
    return context.store.trials.list(job.id, limit, offset)


@router.get("/trials/{trial_id}", response_model=TrialAnswer)
def get_trial(trial_id: str, trial: Annotated[Trial, Named]) -> Trial:
    """One trial."""
    return trial


@router.get("/trials/{trial_id}/logs", response_model=TrialLogAnswer)
def get_trial_log(trial_id: str, trial: Annotated[Trial, Named], context: Ctx) -> dict[str, Any]:
    """What a trial logged."""
    messages, metrics, plots = LoggerUtils.parse_logs(context.store.trials.read_log_lines(trial.id))
    return {"messages": messages, "metrics": metrics, "plots": plots}


@router.get("/trials/{trial_id}/parameters", response_class=Response, responses=BYTES_RESPONSE)
def get_trial_parameters(trial_id: str, trial: Annotated[Trial, Named], context: Ctx) -> Response:
    """A trial's trained parameters, in the format that `rafiki.model.params` describes."""
    if trial.params_hash is None:
        hint = "those of each model's best trials and of its latest are kept (setting keep_params_of_best)"
        is_done = trial.status == TrialStatus.COMPLETED
        raise InvalidTrialError(
            f"trial {trial_id!r} has no saved parameters: it is {trial.status}", hint if is_done else None
        )
    return send_file(context.store.blobs.path(trial.params_hash))
