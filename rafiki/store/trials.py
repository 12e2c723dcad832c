"""Trials: each an attempt at one proposal of a job's model."""

from __future__ import annotations

import builtins
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from rafiki.constants import TrialStatus
from rafiki.entities import TRIAL_TRANSITIONS, Failure, Slot, Trial
from rafiki.errors import InvalidTrialError
from rafiki.store.database import Database, new_id, now, to_int32
from rafiki.store.jobs import check_epoch, refuse_other_epoch
from rafiki.store.retention import choose_forgotten
from rafiki.store.rows import SELECT_TRIAL, failure_to_json, to_trial
from rafiki.store.schema import jobs, models, trials
from rafiki.store.slots import keep_or_release
from rafiki.store.trial_logs import TrialLogs

_UNFINISHED = [status for status, following in TRIAL_TRANSITIONS.items() if following]

# The two statements of every trial, built once.
_SELECT_START = (
    select(jobs.c.epoch, models.c.name)
    .select_from(jobs)
    .join(models, models.c.id == bindparam("model_id"))
    .where(jobs.c.id == bindparam("job_id"))
)
_START = insert(trials)
_SETTLE = (
    update(trials)
    .where(trials.c.id == bindparam("trial_id"), trials.c.status == TrialStatus.RUNNING)
    .where(exists().where(jobs.c.id == trials.c.job_id, jobs.c.epoch == bindparam("of_epoch")))
)


@dataclass(frozen=True)
class FinishedTrial:
    """What came of settling a trial; true if it was this call that did."""

    won: bool  # False: the trial had been settled before
    keeps_slot: bool  # False: `give_back` was given back, is somebody else's, or was not given

    def __bool__(self) -> bool:
        return self.won


class Trials(TrialLogs):
    """`epoch` is that of the calling runner: `FencedError` if it is no longer current."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._db = db

    def start(
        self,
        job_id: str,
        epoch: int,
        model_id: str,
        no: int,
        attempt: int,
        worker_id: str,
        proposal_json: dict[str, Any],
        parent_trial_id: str | None = None,
    ) -> Trial:
        """A trial that is `RUNNING`."""
        values: dict[str, Any] = {
            "id": new_id(),
            "job_id": job_id,
            "model_id": model_id,
            "no": no,
            "attempt": attempt,
            "parent_trial_id": parent_trial_id,
            "worker_id": worker_id,
            "status": TrialStatus.RUNNING,
            "proposal": proposal_json,
            "is_params_saved": False,
            "datetime_started": now(),
        }
        with self._db.write(durable=False) as c:
            row = c.execute(_SELECT_START, {"job_id": job_id, "model_id": model_id}).first()
            refuse_other_epoch(job_id, epoch, None if row is None else row.epoch)
            c.execute(_START, values)
        assert row is not None
        return Trial(**values, model_name=row.name, score=None, error=None, params_hash=None, datetime_stopped=None)

    def finish(
        self, trial_id: str, epoch: int, score: float | None, params_hash: str | None, give_back: Slot | None = None
    ) -> FinishedTrial:
        """RUNNING -> COMPLETED; with `params_hash` (durable in the blobs by now) its parameters are saved.

        `give_back` goes through `slots.keep_or_release` in the same transaction. A score that is NaN is none.
        """
        if score is not None:
            score = None if math.isnan(score) else float(score)
        return self._settle(trial_id, epoch, TrialStatus.COMPLETED, give_back, score=score, params_hash=params_hash)

    def fail(self, trial_id: str, epoch: int, failure: Failure, give_back: Slot | None = None) -> FinishedTrial:
        """RUNNING -> ERRORED, with the reason; `give_back` as in `finish`."""
        return self._settle(trial_id, epoch, TrialStatus.ERRORED, give_back, error=failure_to_json(failure))

    def settle_running(self, job_id: str, failure: Failure) -> builtins.list[Trial]:
        """All unfinished trials of a job -> ERRORED: its runner is gone. Returns them."""
        with self._db.write() as c:
            return settle_unfinished(c, job_id, failure)

    def forget_worse_params(
        self, job_id: str, epoch: int, model_id: str, n_best: int, needed: Collection[str]
    ) -> dict[str, str]:
        """Of a model's trials, all but the `n_best` by score, the latest, and those in `needed` no longer have saved
        parameters: their ids, and what the hashes were.

        Those that a running trial started from stay too. Without effect on a job that is deployed. It is on the disk
        with the next trial that ends: their bytes must not be deleted before that.
        """
        with self._db.write(durable=False) as c:
            check_epoch(c, job_id, epoch)
            forgotten = choose_forgotten(c, job_id, model_id, n_best, needed)
            if forgotten:
                forget = update(trials).where(trials.c.id.in_(forgotten))
                c.execute(forget.values(params_hash=None, is_params_saved=False))
        return forgotten

    def forget_params(self, trial_id: str) -> str | None:
        """The trial no longer has saved parameters. Returns what their hash was.

        Their bytes go with `Store.sweep_blobs`, once nothing else refers to them: equal parameters are one blob.
        """
        is_it = trials.c.id == trial_id
        with self._db.write() as c:
            params_hash: str | None = c.execute(select(trials.c.params_hash).where(is_it)).scalar()
            c.execute(update(trials).where(is_it).values(params_hash=None, is_params_saved=False))
        return params_hash

    def get(self, trial_id: str) -> Trial | None:
        with self._db.read() as c:
            row = c.execute(SELECT_TRIAL.where(trials.c.id == trial_id)).first()
        return None if row is None else to_trial(row)

    def best(self, job_id: str, max_count: int | None = None) -> builtins.list[Trial]:
        """Completed, scored and saved ones by descending score; of equal ones the earlier first."""
        query = SELECT_TRIAL.where(
            trials.c.job_id == job_id,
            trials.c.status == TrialStatus.COMPLETED,
            trials.c.is_params_saved,
            trials.c.score.is_not(None),
        )
        with self._db.read() as c:
            limit = None if max_count is None else to_int32(max_count)
            rows = c.execute(query.order_by(trials.c.score.desc(), trials.c.seq).limit(limit))
            return [to_trial(row) for row in rows]

    def of_model(self, job_id: str, model_id: str) -> builtins.list[Trial]:
        """All of one model of a job, by `no` and `attempt`."""
        query = SELECT_TRIAL.where(trials.c.job_id == job_id, trials.c.model_id == model_id)
        with self._db.read() as c:
            return [to_trial(row) for row in c.execute(query.order_by(trials.c.no, trials.c.attempt))]

    def list(self, job_id: str, limit: int = 1000, offset: int = 0) -> builtins.list[Trial]:
        """Newest first."""
        query = SELECT_TRIAL.where(trials.c.job_id == job_id).order_by(trials.c.seq.desc())
        with self._db.read() as c:
            return [to_trial(row) for row in c.execute(query.limit(to_int32(limit)).offset(to_int32(offset)))]

    def _settle(
        self,
        trial_id: str,
        epoch: int,
        status: str,
        give_back: Slot | None,
        score: float | None = None,
        error: dict[str, str] | None = None,
        params_hash: str | None = None,
    ) -> FinishedTrial:
        values = {
            "trial_id": trial_id,
            "of_epoch": epoch,
            "status": status,
            "score": score,
            "error": error,
            "params_hash": params_hash,
            "is_params_saved": params_hash is not None,
            "datetime_stopped": now(),
        }
        with self._db.write() as c:
            won = c.execute(_SETTLE, values).rowcount == 1
            if not won:
                _check_epoch_of(c, trial_id, epoch)
            return FinishedTrial(won, give_back is not None and keep_or_release(c, give_back, epoch))


def settle_unfinished(c: Connection, job_id: str, failure: Failure) -> list[Trial]:
    """`Trials.settle_running` as a part of a transaction."""
    is_unfinished = (trials.c.job_id == job_id, trials.c.status.in_(_UNFINISHED))
    ids = c.execute(select(trials.c.seq).where(*is_unfinished)).scalars().all()
    if not ids:
        return []
    values = {"status": TrialStatus.ERRORED, "error": failure_to_json(failure), "datetime_stopped": now()}
    c.execute(update(trials).where(*is_unfinished).values(values))
    return [to_trial(row) for row in c.execute(SELECT_TRIAL.where(trials.c.seq.in_(ids)).order_by(trials.c.seq))]


def _check_epoch_of(c: Connection, trial_id: str, epoch: int) -> None:
    job_id = c.execute(select(trials.c.job_id).where(trials.c.id == trial_id)).scalar()
    if job_id is None:
        raise InvalidTrialError(f"there is no trial {trial_id!r}")
    check_epoch(c, job_id, epoch)
