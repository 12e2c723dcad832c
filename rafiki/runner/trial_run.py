"""One trial on one worker: the row before it, the call, the row after it."""

from __future__ import annotations

import asyncio
import errno
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rafiki.advisor import Proposal
from rafiki.entities import Failure, FailureCode, Slot, TrainJob, Trial
from rafiki.errors import EnvironmentBuildError
from rafiki.executor import CallFailed, Executor, Worker, WorkerDied
from rafiki.runner.active_clock import ActiveClock
from rafiki.runner.context import RunnerContext
from rafiki.runner.job_datasets import JobDatasets
from rafiki.runner.model_tuning import ModelTuning
from rafiki.runner.retention import ParamsRetention
from rafiki.runner.slot_leases import SlotLeases
from rafiki.runner.trial_limits import TrialLimits
from rafiki.runner.trial_logs import TrialLogs
from rafiki.runner.worker_pool import WorkerPlace, WorkerPool
from rafiki.worker.frames import Inspect, Reply, Train, Trained


@dataclass
class TrialRun:
    """A trial under way. `stop` ends its worker and makes `reason` the trial's failure."""

    tuning: ModelTuning
    trial: Trial
    proposal: Proposal
    slot: Slot
    place: WorkerPlace
    worker: Worker | None
    is_worker_new: bool
    called: float = 0.0  # when the worker was asked to train, on the monotonic clock
    stop_reason: Failure | None = None

    def stop(self, reason: Failure) -> None:
        self.stop_reason = self.stop_reason or reason
        if self.worker is not None:
            self.worker.kill()


class TrialRuns:
    """The trials of a job that are under way. `on_change` is called when one has ended and is on record."""

    def __init__(
        self,
        context: RunnerContext,
        job: TrainJob,
        datasets: JobDatasets,
        clock: ActiveClock,
        executor: Executor,
        slots: SlotLeases,
        on_change: Callable[[], None],
    ) -> None:
        self._context = context
        self._store = context.store
        self._job = job
        self._datasets = datasets
        self._clock = clock
        self._executor = executor
        self._slots = slots
        self._on_change = on_change
        self._logs = TrialLogs(context)
        self._retention = ParamsRetention(context)
        self._limits = TrialLimits(context.settings, job)
        n_kept = max(context.settings.cores, min(len(job.model_ids), 8))
        readable = (datasets.train_path, datasets.val_path)
        self._pool = WorkerPool(context.settings, self._limits, executor, job.id, context.epoch, readable, n_kept)
        slots.vacate_gpu = self._pool.vacate_gpu
        self._running: dict[asyncio.Task[None], TrialRun] = {}
        self._faults: list[BaseException] = []

    @property
    def running(self) -> list[TrialRun]:
        return list(self._running.values())

    def raise_faults(self) -> None:
        """Raise what went wrong on our side (a fenced epoch, the store) while recording a trial."""
        if self._faults:
            raise self._faults[0]

    async def start(self, tuning: ModelTuning, slot: Slot) -> bool:
        """Start the model's next trial in this slot. False when its search has no next one."""
        place, worker = self._pool.take(tuning.model, slot.index if slot.kind == "gpu" else None)
        attempt = tuning.next_attempt(place.worker_id)
        if attempt is None:
            if worker is not None:
                self._pool.put_back(place, worker)
            return False
        proposal = attempt.proposal
        shared = tuning.shared_params(proposal.params_type, place.worker_id)
        trial = await self._context.db(
            self._store.trials.start,
            self._job.id,
            self._context.epoch,
            tuning.model.id,
            proposal.trial_no,
            attempt.attempt,
            place.worker_id,
            proposal.to_json(),
            parent_trial_id=shared.trial_id if shared else None,
        )
        run = TrialRun(tuning, trial, proposal, slot, place, worker, is_worker_new=worker is None)
        params_hash = shared.params_hash if shared else None
        task = asyncio.create_task(self._run(run, params_hash), name=f"trial {trial.id}")
        self._running[task] = run
        task.add_done_callback(self._forget)
        return True

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._faults.append(fault)
        self._on_change()

    async def _run(self, run: TrialRun, shared_params_hash: str | None) -> None:
        outcome = await self._train(run, shared_params_hash)
        await self._logs.flush()
        if isinstance(outcome, Failure):
            keeps_slot = await self._record_failure(run, outcome)
        else:
            keeps_slot = await self._record_result(run, outcome)
        self._shared_path(run).unlink(missing_ok=True)
        if run.worker is not None:
            self._pool.put_back(run.place, run.worker)
        await self._slots.settle(run.slot, keeps_slot)

    # On the worker ----------------------------------------------------------------------------------------------------

    async def _train(self, run: TrialRun, shared_params_hash: str | None) -> Trained | Failure:
        """The worker's answer, or why there is none. The job's clock runs from when it has a worker for the trial."""
        limit_s = self._limits.time_s
        try:
            worker = await self._worker_of(run)
            with self._clock.counting():
                reply = await self._call(run, worker, shared_params_hash, limit_s)
        except EnvironmentBuildError as error:
            return Failure(FailureCode.MISSING_DEPENDENCY, error.message, error.hint)
        except CallFailed as error:
            return error.failure
        except WorkerDied as error:
            return run.stop_reason or self._limits.explained(error.failure())
        except TimeoutError:
            run.stop(self._limits.over_time)
            await worker.exited
            return self._limits.over_time
        if isinstance(reply, Trained):
            return reply
        return Failure(FailureCode.PROTOCOL, f"The worker answered a Train with a {type(reply).__name__}.")

    async def _worker_of(self, run: TrialRun) -> Worker:
        if run.worker is None:
            model_path = self._store.blobs.path(run.tuning.model.source_hash)
            run.worker = await self._pool.start(run.place, model_path)
            if run.stop_reason is not None:
                run.worker.kill()
        return run.worker

    async def _call(self, run: TrialRun, worker: Worker, shared_params_hash: str | None, limit_s: float) -> Reply:
        worker.on_log = lambda log: self._logs.add(run.trial.id, log)
        if run.is_worker_new:
            # Its imports are done when it answers: they are no part of how long this model's trials take.
            await worker.call(Inspect(), timeout_s=limit_s)
        run.called = time.monotonic()
        if shared_params_hash is not None:
            await asyncio.to_thread(_show, self._store.blobs.path(shared_params_hash), self._shared_path(run))
        request = self._request(run, worker, shared_params_hash is not None)
        cpu_limit_s = self._context.settings.trial_cpu_limit_s
        return await worker.call(request, timeout_s=limit_s, cpu_limit_s=cpu_limit_s)

    def _shared_path(self, run: TrialRun) -> Path:
        """Where the worker reads the parameters that the trial starts from."""
        return self._pool.shared_dir(run.tuning.model) / run.trial.id

    def _request(self, run: TrialRun, worker: Worker, starts_from_shared: bool) -> Train:
        proposal = run.proposal
        keeps_params = proposal.to_save_params or proposal.to_cache_params
        return Train(
            trial_id=run.trial.id,
            knobs=proposal.knobs,
            train_path=str(self._datasets.train_path),
            val_path=str(self._datasets.val_path),
            shared_params_path=str(self._shared_path(run)) if starts_from_shared else None,
            train_args=self._job.train_args,
            params_path=str(worker.spec.scratch_dir / f"params-{run.trial.id}") if keeps_params else None,
            to_eval=proposal.to_eval,
        )

    # On record --------------------------------------------------------------------------------------------------------

    async def _record_result(self, run: TrialRun, outcome: Trained) -> bool:
        params_hash = None
        if outcome.has_params and run.worker is not None:
            path = run.worker.spec.scratch_dir / f"params-{run.trial.id}"
            try:
                params_hash = await asyncio.to_thread(self._store.blobs.put_file, path, move=True)
            except (OSError, ValueError) as error:  # the worker may have put anything there, or nothing
                return await self._record_failure(run, _no_params(error))
        ended = await self._context.db(
            self._store.trials.finish,
            run.trial.id,
            self._context.epoch,
            outcome.score,
            params_hash,
            give_back=_given_back(run.slot),
        )
        duration_s = time.monotonic() - run.called
        run.tuning.completed(run.trial, run.proposal, outcome.score, params_hash, duration_s)
        if params_hash is not None:
            await self._retention.apply(run.tuning)
        return ended.keeps_slot

    async def _record_failure(self, run: TrialRun, failure: Failure) -> bool:
        slot = _given_back(run.slot)
        ended = await self._context.db(
            self._store.trials.fail, run.trial.id, self._context.epoch, failure, give_back=slot
        )
        run.tuning.failed(run.trial, run.proposal, failure)
        return ended.keeps_slot

    # The end ----------------------------------------------------------------------------------------------------------

    def end_idle(self, tuning: ModelTuning) -> None:
        self._pool.end_idle(tuning.model.id)

    async def close(self) -> None:
        """No trial is under way: end the workers in order."""
        await self._pool.close()

    async def kill(self) -> None:
        """End every process at once; trials under way are not recorded any more."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        await self._executor.close()


def _given_back(slot: Slot) -> Slot | None:
    """What goes back in the transaction of a trial's end. A GPU does not: its worker has to leave it first."""
    return slot if slot.kind == "core" else None


def _show(blob_path: Path, path: Path) -> None:
    """Put a blob where a worker can read it, in a folder that it cannot change."""
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(blob_path)
    except OSError:  # another file system
        shutil.copyfile(blob_path, path)


def _no_params(error: OSError | ValueError) -> Failure:
    is_disk_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = FailureCode.DISK_FULL if is_disk_full else FailureCode.PROTOCOL
    return Failure(code, f"The trial's parameters could not be taken from its worker: {error}")
