"""Deleting a train job with all that is its own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, union, update

from rafiki.entities import LIVE_STATUSES
from rafiki.errors import TrainJobUsedError
from rafiki.store.schema import (
    inference_jobs,
    jobs,
    slots,
    train_job_models,
    train_job_parts,
    train_jobs,
    trial_log_chunks,
    trials,
    waits,
)
from rafiki.store.uses import name_app


def delete_train_job(c: Connection, job_id: str) -> list[str] | None:
    """Deletes the job, its trials, their logs, and the deployments of it that have ended.

    Returns the hashes of what may no longer be needed in the blobs; None where there is no such job. Raises
    `TrainJobUsedError` while the job runs or is deployed.
    """
    job = c.execute(select(*jobs.c["app", "app_version", "status"]).where(jobs.c.id == job_id)).first()
    if job is None:
        return None
    name = name_app(job.app, job.app_version)
    if job.status in LIVE_STATUSES:
        raise TrainJobUsedError(f"train job {name} is {job.status}", hint="Stop it first.")
    deployments = _deployments(c, job_id, name)
    hashes = _hashes(c, job_id)
    of_job = select(trials.c.id).where(trials.c.job_id == job_id)
    c.execute(delete(trial_log_chunks).where(trial_log_chunks.c.trial_id.in_(of_job)))
    c.execute(delete(trials).where(trials.c.job_id == job_id))
    c.execute(delete(train_job_models).where(train_job_models.c.job_id == job_id))
    c.execute(delete(train_job_parts).where(train_job_parts.c.job_id == job_id))
    c.execute(delete(inference_jobs).where(inference_jobs.c.train_job_id == job_id))
    c.execute(delete(train_jobs).where(train_jobs.c.id == job_id))
    _delete_jobs(c, [job_id, *deployments])
    return hashes


def _deployments(c: Connection, job_id: str, name: str) -> list[str]:
    """The ids of the job's inference jobs, which have all ended."""
    query = select(inference_jobs.c.id, jobs.c.status, inference_jobs.c.host, inference_jobs.c.port)
    query = query.join_from(inference_jobs, jobs, jobs.c.id == inference_jobs.c.id)
    rows = c.execute(query.where(inference_jobs.c.train_job_id == job_id)).all()
    for row in rows:
        if row.status in LIVE_STATUSES:
            raise TrainJobUsedError(
                f"train job {name} is deployed, at {row.host}:{row.port}", hint="Stop that inference job first."
            )
    return [row.id for row in rows]


def _hashes(c: Connection, job_id: str) -> list[str]:
    found = union(
        select(trials.c.params_hash).where(trials.c.job_id == job_id),
        select(trials.c.predictions_hash).where(trials.c.job_id == job_id),
        select(train_job_parts.c.blob_hash).where(train_job_parts.c.job_id == job_id),
    )
    return [content_hash for content_hash in c.execute(found).scalars() if content_hash is not None]


def _delete_jobs(c: Connection, job_ids: Sequence[str]) -> None:
    """The rows that both kinds of job have. Their runners have ended."""
    c.execute(update(slots).where(slots.c.job_id.in_(job_ids)).values(job_id=None, epoch=None))
    c.execute(delete(waits).where(waits.c.job_id.in_(job_ids)))
    c.execute(delete(jobs).where(jobs.c.id.in_(job_ids)))
