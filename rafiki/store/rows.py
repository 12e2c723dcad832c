"""Entities from rows, and the statements that select them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, select

from rafiki.entities import (
    Dataset,
    DatasetPart,
    Failure,
    InferenceJob,
    Model,
    RunnerProcess,
    Token,
    TrainJob,
    Trial,
    User,
)
from rafiki.store.schema import (
    datasets,
    inference_jobs,
    jobs,
    models,
    train_job_models,
    train_job_parts,
    train_jobs,
    trials,
    users,
)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
AnySelect: TypeAlias = Select[*tuple[Any, ...]]

SELECT_USER: AnySelect = select(*users.c["id", "email", "user_type", "banned_date"])
SELECT_DATASET: AnySelect = select(datasets)
SELECT_MODEL: AnySelect = select(*(column for column in models.c if column.name != "lock"))
SELECT_PROCESS: AnySelect = select(
    jobs.c.id.label("job_id"), *jobs.c["kind", "epoch", "pid", "start_time", "n_failed_starts"]
)

_JOB = jobs.c["user_id", "app", "app_version", "status", "epoch", "error", "datetime_started", "datetime_stopped"]
_IS_TRAIN_DATASET = datasets.c.id == train_jobs.c.train_dataset_id
SELECT_TRAIN_JOB: AnySelect = (
    select(train_jobs, *_JOB, datasets.c.labels)
    .join_from(train_jobs, jobs, jobs.c.id == train_jobs.c.id)
    .join(datasets, _IS_TRAIN_DATASET)
)
SELECT_INFERENCE_JOB: AnySelect = (
    select(inference_jobs, *_JOB, datasets.c.labels)
    .join_from(inference_jobs, jobs, jobs.c.id == inference_jobs.c.id)
    .join(train_jobs, train_jobs.c.id == inference_jobs.c.train_job_id)
    .join(datasets, _IS_TRAIN_DATASET)
)
SELECT_TRIAL: AnySelect = select(
    *(column for column in trials.c if column.name not in ("seq", "predictions_hash")),
    models.c.name.label("model_name"),
).join_from(trials, models, models.c.id == trials.c.model_id)


def failure_to_json(failure: Failure | None) -> dict[str, str] | None:
    if failure is None:
        return None
    # The message may quote a template's, and half a surrogate pair is no text that a database or an answer takes.
    return {key: value.encode(errors="replace").decode() for key, value in failure.to_json().items()}


def _with_failure(row: AnyRow) -> dict[str, Any]:
    values: dict[str, Any] = dict(row._mapping)
    error: Mapping[str, Any] | None = values["error"]
    values["error"] = None if error is None else Failure.from_json(error)
    return values


def to_user(row: AnyRow) -> User:
    return User(**row._mapping)


def to_token(row: AnyRow) -> Token:
    return Token(**row._mapping)


def to_dataset(row: AnyRow) -> Dataset:
    """With a warning of its labels, which may change, after those that its check has left."""
    values = _with_failure(row)
    labels, n_classes = values["labels"], (values["stats"] or {}).get("n_classes")
    if labels is not None and isinstance(n_classes, int) and len(labels) < n_classes:
        wrong = f"There are {n_classes} classes and {len(labels)} labels: the others have no names"
        values["warnings"] = [*values["warnings"], wrong]
    return Dataset(**values)


def to_model(row: AnyRow) -> Model:
    return Model(**_with_failure(row))


def to_trial(row: AnyRow) -> Trial:
    return Trial(**_with_failure(row))


def to_process(row: AnyRow) -> RunnerProcess:
    return RunnerProcess(**row._mapping)


def to_inference_job(row: AnyRow) -> InferenceJob:
    values = _with_failure(row)
    host, port = values.pop("host"), values.pop("port")
    return InferenceJob(**values, predictor_port=port, predictor_host=f"{host}:{port}")


def to_train_jobs(c: Connection, rows: Iterable[AnyRow]) -> list[TrainJob]:
    """With the ids of their models and the parts of their datasets, fetched at once for all of them."""
    found = [_with_failure(row) for row in rows]
    ids = [values["id"] for values in found]
    model_ids, splits = _model_ids(c, ids), _splits(c, ids)
    return [TrainJob(**values, model_ids=model_ids[values["id"]], split=splits.get(values["id"])) for values in found]


def _splits(c: Connection, job_ids: Sequence[str]) -> dict[str, dict[str, DatasetPart]]:
    by_job: dict[str, dict[str, DatasetPart]] = {}
    for row in c.execute(select(train_job_parts).where(train_job_parts.c.job_id.in_(job_ids))):
        by_job.setdefault(row.job_id, {})[row.part] = DatasetPart(row.blob_hash, row.n_items)
    return by_job


def _model_ids(c: Connection, job_ids: Sequence[str]) -> dict[str, list[str]]:
    by_job: dict[str, list[str]] = {job_id: [] for job_id in job_ids}
    columns = train_job_models.c
    query = select(columns.job_id, columns.model_id).where(columns.job_id.in_(job_ids)).order_by(columns.position)
    for job_id, model_id in c.execute(query):
        by_job[job_id].append(model_id)
    return by_job
