"""What train and inference jobs share: status, epoch, runner process.

The epoch is the fence: it rises whenever a runner is (re)started and when a job is stopped, every write of a runner
carries the one it was started with, and one that is no longer current raises `FencedError` and changes nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from rafiki.entities import INFERENCE_JOB_TRANSITIONS, LIVE_STATUSES, TRAIN_JOB_TRANSITIONS, Failure, RunnerProcess
from rafiki.errors import FencedError
from rafiki.store.database import Database, new_id, now
from rafiki.store.rows import SELECT_PROCESS, AnySelect, failure_to_json, to_process
from rafiki.store.schema import jobs, predictor_ports, waits

TRAIN = "TRAIN"
INFERENCE = "INFERENCE"

_TRANSITIONS = {TRAIN: TRAIN_JOB_TRANSITIONS, INFERENCE: INFERENCE_JOB_TRANSITIONS}
_SELECT_EPOCH = select(jobs.c.epoch).where(jobs.c.id == bindparam("job_id"))

IS_LIVE = jobs.c.status.in_(sorted(LIVE_STATUSES))


class Jobs:
    """Both kinds of job, as the supervisor sees them: something that should, or should not, have a runner."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def claim(self, job_id: str) -> RunnerProcess | None:
        """Raise the epoch, before a runner is started with it; None where the job has ended or there is none.

        From then on no earlier runner of the job can write. What it leased stays leased until `slots.release_all`.
        """
        claim = update(jobs).where(jobs.c.id == job_id, IS_LIVE)
        with self._db.write() as c:
            if c.execute(claim.values(epoch=jobs.c.epoch + 1, pid=None, start_time=None)).rowcount == 0:
                return None
            return to_process(c.execute(SELECT_PROCESS.where(jobs.c.id == job_id)).one())

    def set_process(self, job_id: str, epoch: int, pid: int, start_time: int) -> None:
        """Raises `FencedError`."""
        with self._db.write() as c:
            check_epoch(c, job_id, epoch)
            c.execute(update(jobs).where(jobs.c.id == job_id).values(pid=pid, start_time=start_time))

    def get_process(self, job_id: str) -> RunnerProcess | None:
        """None where there is no such job; its `pid` is None where no runner is known."""
        with self._db.read() as c:
            row = c.execute(SELECT_PROCESS.where(jobs.c.id == job_id)).first()
        return None if row is None else to_process(row)

    def clear_process(self, job_id: str) -> None:
        """The job's runner has ended."""
        with self._db.write() as c:
            c.execute(update(jobs).where(jobs.c.id == job_id).values(pid=None, start_time=None))

    def note_failed_start(self, job_id: str) -> int:
        """How many in a row that makes."""
        failed = update(jobs).where(jobs.c.id == job_id).values(n_failed_starts=jobs.c.n_failed_starts + 1)
        with self._db.write() as c:
            c.execute(failed)
            return int(c.execute(select(jobs.c.n_failed_starts).where(jobs.c.id == job_id)).scalar_one())

    def note_good_start(self, job_id: str) -> None:
        """The job's runner has something to show: failed starts are counted from 0 again."""
        with self._db.write() as c:
            c.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.n_failed_starts > 0).values(n_failed_starts=0))

    def live(self) -> list[RunnerProcess]:
        """Of every job that is `STARTED` or `RUNNING`: what should have a runner."""
        return self._list(SELECT_PROCESS.where(IS_LIVE))

    def ended_with_process(self) -> list[RunnerProcess]:
        """Of every job that has ended while its runner's end was not noted: what may still have one."""
        return self._list(SELECT_PROCESS.where(~IS_LIVE, jobs.c.pid.is_not(None)))

    def check_epoch(self, job_id: str, epoch: int) -> None:
        """Raises `FencedError`."""
        with self._db.read() as c:
            check_epoch(c, job_id, epoch)

    def _list(self, query: AnySelect) -> list[RunnerProcess]:
        with self._db.read() as c:
            return [to_process(row) for row in c.execute(query.order_by(jobs.c.datetime_started, jobs.c.id))]


# Parts of transactions ------------------------------------------------------------------------------------------------


def check_epoch(c: Connection, job_id: str, epoch: int) -> None:
    refuse_other_epoch(job_id, epoch, c.execute(_SELECT_EPOCH, {"job_id": job_id}).scalar())


def refuse_other_epoch(job_id: str, epoch: int, current: int | None) -> None:
    if current != epoch:
        raise FencedError(
            f"epoch {epoch} of job {job_id} is over, the current one is {current}: this runner has been replaced or "
            "its job stopped, and it must exit"
        )


def insert_job(c: Connection, kind: str, user_id: str, app: str, app_version: int) -> str:
    """A new job, `STARTED` and without a runner. Returns its id."""
    job_id = new_id()
    c.execute(
        insert(jobs).values(
            id=job_id,
            kind=kind,
            user_id=user_id,
            app=app,
            app_version=app_version,
            status="STARTED",
            epoch=0,
            n_failed_starts=0,
            datetime_started=now(),
        )
    )
    return job_id


def move_job(
    c: Connection, kind: str, job_id: str, status: str, failure: Failure | None = None, epoch_step: int = 0
) -> bool:
    """Compare-and-set by the table of transitions. A job that ends stops waiting for slots and frees its port."""
    transitions = _TRANSITIONS[kind]
    earlier = [before for before, after in transitions.items() if status in after]
    values: dict[str, Any] = {"status": status, "epoch": jobs.c.epoch + epoch_step}
    has_ended = not transitions[status]
    if has_ended:
        values |= {"datetime_stopped": now(), "error": failure_to_json(failure)}
    move = update(jobs).where(jobs.c.id == job_id, jobs.c.kind == kind, jobs.c.status.in_(earlier))
    if c.execute(move.values(**values)).rowcount == 0:
        return False
    if has_ended:
        c.execute(delete(waits).where(waits.c.job_id == job_id))
        c.execute(delete(predictor_ports).where(predictor_ports.c.job_id == job_id))
    return True
