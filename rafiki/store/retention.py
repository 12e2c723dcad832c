"""Whose parameters are worth their room."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from rafiki.constants import TrialStatus
from rafiki.store.jobs import IS_LIVE
from rafiki.store.schema import inference_jobs, jobs, trials


def choose_forgotten(c: Connection, job_id: str, model_id: str, n_best: int, needed: Collection[str]) -> dict[str, str]:
    """See `Trials.forget_worse_params`. Hashes by trial id."""
    of_model = (trials.c.job_id == job_id, trials.c.model_id == model_id)
    # Of equal scores the earlier is the better one, as in `Trials.best`.
    by_score = (trials.c.score.is_(None), trials.c.score.desc(), trials.c.seq)
    query = select(trials.c.id, trials.c.params_hash).where(*of_model, trials.c.is_params_saved)
    worse = c.execute(query.order_by(*by_score).offset(n_best)).all()
    if not worse or _is_deployed(c, job_id):
        return {}
    latest = c.execute(select(func.max(trials.c.seq)).where(*of_model, trials.c.is_params_saved)).scalar()
    kept = {*needed, *c.execute(select(trials.c.id).where(trials.c.seq == latest)).scalars()}
    is_running = (trials.c.status == TrialStatus.RUNNING, trials.c.parent_trial_id.is_not(None))
    kept |= set(c.execute(select(trials.c.parent_trial_id).where(*of_model, *is_running)).scalars())
    return {row.id: row.params_hash for row in worse if row.id not in kept}


def _is_deployed(c: Connection, job_id: str) -> bool:
    """A job that runs is never deployed; this holds whatever else is wrong."""
    query = select(jobs.c.id).join_from(jobs, inference_jobs, inference_jobs.c.id == jobs.c.id)
    return c.execute(query.where(inference_jobs.c.train_job_id == job_id, IS_LIVE)).first() is not None
