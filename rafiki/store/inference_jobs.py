"""Inference jobs: deployments of an app version, and the addresses they answer on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from rafiki.constants import InferenceJobStatus
from rafiki.entities import Failure, InferenceJob, TrainJob
from rafiki.errors import InsufficientResourcesError, InvalidTrainJobError, RunningInferenceJobExistsError
from rafiki.store.database import Database, to_int32
from rafiki.store.jobs import INFERENCE, IS_LIVE, check_epoch, insert_job, move_job
from rafiki.store.rows import SELECT_INFERENCE_JOB, AnySelect, to_inference_job
from rafiki.store.schema import inference_jobs, jobs, predictor_ports, train_jobs


class InferenceJobs:
    """Lists are newest first. `epoch` is that of the calling runner: `FencedError` if it is no longer current.

    A live job (`STARTED` or `RUNNING`) holds its port; no two hold the same one, and it is free again once the job
    has ended. A job that has ended still says which address it had.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(
        self,
        user_id: str,
        train_job: TrainJob,
        budget: dict[str, Any],
        host: str,
        port_range: Iterable[int],
        is_port_free: Callable[[int], bool],
    ) -> InferenceJob:
        """A deployment on the first port that no live job holds and that `is_port_free` (a quick call, please).

        Raises `RunningInferenceJobExistsError`, and `InsufficientResourcesError` where no port is left.
        """
        with self._db.write() as c:
            self._check_none_is_live(c, user_id, train_job)
            if c.execute(select(train_jobs.c.id).where(train_jobs.c.id == train_job.id)).first() is None:
                raise InvalidTrainJobError(f"version {train_job.app_version} of app {train_job.app!r} was deleted")
            port = _choose_port(c, port_range, is_port_free)
            job_id = insert_job(c, INFERENCE, user_id, train_job.app, train_job.app_version)
            c.execute(
                insert(inference_jobs).values(id=job_id, train_job_id=train_job.id, budget=budget, host=host, port=port)
            )
            c.execute(insert(predictor_ports).values(port=port, job_id=job_id))
            return to_inference_job(c.execute(SELECT_INFERENCE_JOB.where(jobs.c.id == job_id)).one())

    def get(self, job_id: str) -> InferenceJob | None:
        return self._first(SELECT_INFERENCE_JOB.where(jobs.c.id == job_id))

    def get_live(self, user_id: str, app: str, version: int = -1) -> InferenceJob | None:
        """The one that is `STARTED` or `RUNNING`; -1: of those of all versions the latest deployed."""
        query = SELECT_INFERENCE_JOB.where(jobs.c.user_id == user_id, jobs.c.app == app, IS_LIVE)
        if version != -1:
            query = query.where(jobs.c.app_version == to_int32(version))
        return self._first(query.order_by(jobs.c.datetime_started.desc(), jobs.c.app_version.desc()).limit(1))

    def list_of_user(self, user_id: str) -> list[InferenceJob]:
        return self._list(SELECT_INFERENCE_JOB.where(jobs.c.user_id == user_id))

    def list_of_app(self, user_id: str, app: str) -> list[InferenceJob]:
        return self._list(SELECT_INFERENCE_JOB.where(jobs.c.user_id == user_id, jobs.c.app == app))

    def list_live(self) -> list[InferenceJob]:
        return self._list(SELECT_INFERENCE_JOB.where(IS_LIVE))

    def mark_running(self, job_id: str, epoch: int) -> bool:
        """STARTED -> RUNNING. False: it was RUNNING already, or has ended."""
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            return move_job(c, INFERENCE, job_id, InferenceJobStatus.RUNNING)

    def finish(self, job_id: str, epoch: int, status: str, failure: Failure | None = None) -> bool:
        """To `STOPPED` or `ERRORED`, with the reason; its port is free again. False: it had ended."""
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            return move_job(c, INFERENCE, job_id, status, failure)

    def stop(self, job_id: str) -> bool:
        """To `STOPPED`; its port is free again and its runner is fenced off. False: it had ended."""
        with self._db.write() as c:
            return move_job(c, INFERENCE, job_id, InferenceJobStatus.STOPPED, epoch_step=1)

    def set_port(self, job_id: str, epoch: int, port: int, host: str) -> bool:
        """Move a live job to another address. False: another live job holds that port."""
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            holder = c.execute(select(predictor_ports.c.job_id).where(predictor_ports.c.port == port)).scalar()
            if holder not in (None, job_id):
                return False
            c.execute(delete(predictor_ports).where(predictor_ports.c.job_id == job_id))
            c.execute(insert(predictor_ports).values(port=port, job_id=job_id))
            c.execute(update(inference_jobs).where(inference_jobs.c.id == job_id).values(port=port, host=host))
            return True

    def set_score(self, job_id: str, epoch: int, score: float, score_on: str, n_scored: int) -> None:
        """How good the ensemble is, over `n_scored` items of `score_on`."""
        values = {"score": score, "score_on": score_on, "n_scored": n_scored}
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            c.execute(update(inference_jobs).where(inference_jobs.c.id == job_id).values(values))

    def _check_none_is_live(self, c: Connection, user_id: str, train_job: TrainJob) -> None:
        is_same = (jobs.c.user_id == user_id, jobs.c.app == train_job.app, jobs.c.app_version == train_job.app_version)
        row = c.execute(SELECT_INFERENCE_JOB.where(*is_same, IS_LIVE)).first()
        if row is not None:
            raise RunningInferenceJobExistsError(
                f"version {train_job.app_version} of app {train_job.app!r} is already deployed, at "
                f"{to_inference_job(row).predictor_host}",
                hint="Stop that inference job first.",
            )

    def _first(self, query: AnySelect) -> InferenceJob | None:
        with self._db.read() as c:
            row = c.execute(query).first()
        return None if row is None else to_inference_job(row)

    def _list(self, query: AnySelect) -> list[InferenceJob]:
        with self._db.read() as c:
            rows = c.execute(query.order_by(jobs.c.datetime_started.desc(), jobs.c.app_version.desc()))
            return [to_inference_job(row) for row in rows]


def _choose_port(c: Connection, port_range: Iterable[int], is_port_free: Callable[[int], bool]) -> int:
    held = set(c.execute(select(predictor_ports.c.port)).scalars())
    ports = list(port_range)
    for port in ports:
        if port not in held and is_port_free(port):
            return port
    raise InsufficientResourcesError(
        f"none of the {len(ports)} predictor ports from {min(ports)} to {max(ports)} is free",
        hint="Stop an inference job, or give the server a wider range of predictor ports.",
    )
