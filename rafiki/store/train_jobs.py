"""Train jobs: an app's versions, and what each is to do."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from rafiki.constants import TrainJobStatus
from rafiki.entities import DatasetPart, Failure, FailureCode, TrainJob
from rafiki.errors import InvalidDatasetError, InvalidModelError, InvalidTrainJobError
from rafiki.store.database import Database, to_int32
from rafiki.store.deletion import delete_train_job
from rafiki.store.jobs import IS_LIVE, TRAIN, check_epoch, insert_job, move_job
from rafiki.store.rows import SELECT_TRAIN_JOB, AnySelect, to_train_jobs
from rafiki.store.schema import app_versions, datasets, jobs, models, train_job_models, train_job_parts, train_jobs
from rafiki.store.trials import settle_unfinished

STOPPED_BY_USER = Failure(FailureCode.STOPPED_BY_USER, "The job was stopped by its user while this trial was running.")


class TrainJobs:
    """Lists are newest first. `epoch` is that of the calling runner: `FencedError` if it is no longer current."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(
        self,
        user_id: str,
        app: str,
        task: str,
        train_dataset_id: str,
        val_dataset_id: str | None,
        budget: dict[str, Any],
        train_args: dict[str, Any] | None,
        model_ids: Sequence[str],
        seed: int,
        limits: dict[str, Any] | None = None,
    ) -> TrainJob:
        """The app's next version, `STARTED`. Without `val_dataset_id` its runner splits the one dataset.

        Raises `InvalidTrainJobError` where one of the app is still live, and what says that a model or dataset is gone.
        """
        with self._db.write() as c:
            version = _next_version(c, user_id, app)
            _check_models_exist(c, model_ids)
            _check_datasets_exist(c, [train_dataset_id, val_dataset_id or train_dataset_id])
            job_id = insert_job(c, TRAIN, user_id, app, version)
            c.execute(
                insert(train_jobs).values(
                    id=job_id,
                    task=task,
                    budget=budget,
                    train_args=train_args,
                    train_dataset_id=train_dataset_id,
                    val_dataset_id=val_dataset_id,
                    seed=seed,
                    active_s=0.0,
                    limits=limits,
                )
            )
            if model_ids:
                rows = [{"job_id": job_id, "position": i, "model_id": id_} for i, id_ in enumerate(model_ids)]
                c.execute(insert(train_job_models), rows)
            return _select(c, SELECT_TRAIN_JOB.where(jobs.c.id == job_id))[0]

    def get(self, job_id: str) -> TrainJob | None:
        return self._first(SELECT_TRAIN_JOB.where(jobs.c.id == job_id))

    def get_version(self, user_id: str, app: str, version: int = -1) -> TrainJob | None:
        """-1: the latest."""
        query = SELECT_TRAIN_JOB.where(jobs.c.user_id == user_id, jobs.c.app == app)
        if version != -1:
            query = query.where(jobs.c.app_version == to_int32(version))
        return self._first(query.order_by(jobs.c.app_version.desc()).limit(1))

    def list_of_user(self, user_id: str) -> list[TrainJob]:
        return self._list(SELECT_TRAIN_JOB.where(jobs.c.user_id == user_id))

    def list_of_app(self, user_id: str, app: str) -> list[TrainJob]:
        return self._list(SELECT_TRAIN_JOB.where(jobs.c.user_id == user_id, jobs.c.app == app))

    def list_live(self) -> list[TrainJob]:
        """Those that are `STARTED` or `RUNNING`."""
        return self._list(SELECT_TRAIN_JOB.where(IS_LIVE))

    def mark_running(self, job_id: str, epoch: int) -> bool:
        """STARTED -> RUNNING. False: it was RUNNING already, or has ended."""
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            return move_job(c, TRAIN, job_id, TrainJobStatus.RUNNING)

    def finish(self, job_id: str, epoch: int, status: str, failure: Failure | None = None) -> bool:
        """To `STOPPED` or `ERRORED`, with the reason. False: it had ended."""
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            return move_job(c, TRAIN, job_id, status, failure)

    def add_active_s(self, job_id: str, epoch: int, active_s: float) -> None:
        """Save the seconds in which the job had a worker: all of them, not those since the last save."""
        with self._db.write(durable=False) as c:
            check_epoch(c, job_id, epoch)
            c.execute(update(train_jobs).where(train_jobs.c.id == job_id).values(active_s=active_s))

    def set_split(self, job_id: str, epoch: int, split: Mapping[str, DatasetPart]) -> None:
        """What the job's one dataset was split into, in place of any earlier split."""
        rows = [{"job_id": job_id, "part": part, **vars(of_part)} for part, of_part in split.items()]
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            c.execute(delete(train_job_parts).where(train_job_parts.c.job_id == job_id))
            c.execute(insert(train_job_parts), rows)

    def delete(self, job_id: str) -> builtins.list[str] | None:
        """Deletes a job that has ended and is not deployed (else `TrainJobUsedError`), with its trials, their logs,
        and its earlier deployments.

        Returns the hashes of what may no longer be needed in the blobs (see `Store.delete_unused_blobs`); None where
        there is no such job. No process of the job may be left.
        """
        with self._db.write() as c:
            return delete_train_job(c, job_id)

    def stop(self, job_id: str) -> bool:
        """To `STOPPED`, its unfinished trials to `ERRORED`, and its runner is fenced off. False: it had ended."""
        with self._db.write() as c:
            if not move_job(c, TRAIN, job_id, TrainJobStatus.STOPPED, epoch_step=1):
                return False
            settle_unfinished(c, job_id, STOPPED_BY_USER)
            return True

    def _first(self, query: AnySelect) -> TrainJob | None:
        with self._db.read() as c:
            found = _select(c, query)
        return found[0] if found else None

    def _list(self, query: AnySelect) -> list[TrainJob]:
        with self._db.read() as c:
            return _select(c, query.order_by(jobs.c.datetime_started.desc(), jobs.c.app_version.desc()))


def _select(c: Connection, query: AnySelect) -> list[TrainJob]:
    return to_train_jobs(c, c.execute(query).all())


def _next_version(c: Connection, user_id: str, app: str) -> int:
    of_app = (jobs.c.kind == TRAIN, jobs.c.user_id == user_id, jobs.c.app == app)
    live_version = c.execute(select(jobs.c.app_version).where(*of_app, IS_LIVE)).scalar()
    if live_version is not None:
        raise InvalidTrainJobError(
            f"version {live_version} of app {app!r} is still being trained",
            hint="Wait until it has stopped, stop it, or choose another app.",
        )
    is_app = (app_versions.c.user_id == user_id, app_versions.c.app == app)
    last_version: int | None = c.execute(select(app_versions.c.last_version).where(*is_app)).scalar()
    if last_version is None:
        c.execute(insert(app_versions).values(user_id=user_id, app=app, last_version=1))
        return 1
    c.execute(update(app_versions).where(*is_app).values(last_version=last_version + 1))
    return last_version + 1


def _check_models_exist(c: Connection, model_ids: Sequence[str]) -> None:
    known = set(c.execute(select(models.c.id).where(models.c.id.in_(model_ids))).scalars())
    missing = [model_id for model_id in model_ids if model_id not in known]
    if missing:
        raise InvalidModelError(f"there is no model {missing[0]!r}")


def _check_datasets_exist(c: Connection, dataset_ids: Sequence[str]) -> None:
    known = set(c.execute(select(datasets.c.id).where(datasets.c.id.in_(dataset_ids))).scalars())
    missing = [dataset_id for dataset_id in dataset_ids if dataset_id not in known]
    if missing:
        raise InvalidDatasetError(f"there is no dataset {missing[0]!r}")
