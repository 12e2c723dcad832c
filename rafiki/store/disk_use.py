"""Which blobs rows refer to, whose they are, and how much room they take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, select, union

from rafiki.entities import Usage
from rafiki.store.blobs import Blobs
from rafiki.store.rows import AnySelect
from rafiki.store.schema import datasets, jobs, models, train_job_parts, trial_log_chunks, trials

#: Every column that names a blob.
_REFERENCES = (
    datasets.c.blob_hash,
    models.c.source_hash,
    train_job_parts.c.blob_hash,
    trials.c.params_hash,
    trials.c.predictions_hash,
)


def referenced(c: Connection) -> set[str]:
    """The hashes of all blobs that some row refers to."""
    return set(c.execute(union(*(select(column) for column in _REFERENCES))).scalars())


def referenced_of(c: Connection, hashes: Sequence[str]) -> set[str]:
    """Those of `hashes` (at most some hundred) that some row refers to."""
    return set(c.execute(union(*(select(column).where(column.in_(hashes)) for column in _REFERENCES))).scalars())


def usage_of(c: Connection, blobs: Blobs, user_id: str) -> Usage:
    of_user = jobs.c.user_id == user_id
    lines = select(func.sum(func.length(trial_log_chunks.c.lines))).select_from(trial_log_chunks)
    lines = lines.join(trials, trials.c.id == trial_log_chunks.c.trial_id).join(jobs, jobs.c.id == trials.c.job_id)
    params = select(trials.c.params_hash).join_from(trials, jobs, jobs.c.id == trials.c.job_id)
    parts = select(train_job_parts.c.blob_hash).join_from(train_job_parts, jobs, jobs.c.id == train_job_parts.c.job_id)
    return Usage(
        datasets_bytes=_size(c, blobs, select(datasets.c.blob_hash).where(datasets.c.user_id == user_id)),
        splits_bytes=_size(c, blobs, parts.where(of_user)),
        models_bytes=_size(c, blobs, select(models.c.source_hash).where(models.c.user_id == user_id)),
        params_bytes=_size(c, blobs, params.where(of_user)),
        logs_bytes=int(c.execute(lines.where(of_user)).scalar() or 0),
    )


def _size(c: Connection, blobs: Blobs, query: AnySelect) -> int:
    hashes: Iterable[str | None] = c.execute(query.distinct()).scalars()
    return sum(blobs.size(content_hash) for content_hash in hashes if content_hash is not None)
