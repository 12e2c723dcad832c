"""The train runner: one train job, from its rows to its end. Trusted; runs no user code.

`python -m rafiki.runner.tuning --job-id ID --epoch N --settings JSON`

It starts trials while there are slots, workers and budget for them, and waits for the first of them to end. Each
trial is two transactions: one before it, one after it, both fenced by the job's epoch.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sys
from collections.abc import Collection

from rafiki.advisor import make_advisor
from rafiki.constants import BudgetOption, ModelStatus, TrainJobStatus
from rafiki.entities import Failure, FailureCode, Model, TrainJob
from rafiki.errors import FencedError
from rafiki.executor import PlatformExecutor
from rafiki.model import deserialize_knob_config
from rafiki.runner.active_clock import ActiveClock
from rafiki.runner.context import RunnerArguments, RunnerContext
from rafiki.runner.job_datasets import JobDatasets, prepare_datasets
from rafiki.runner.model_tuning import ModelTuning
from rafiki.runner.slot_leases import SlotLeases
from rafiki.runner.trial_run import TrialRuns
from rafiki.store import Store
from rafiki.store.slots import Kind

logger = logging.getLogger("rafiki.runner")

#: While something outside is waited for (a slot, a model's check), how often to look without having been told.
FALLBACK_INTERVAL_S = 1.0
ACTIVE_TIME_INTERVAL_S = 5.0


class TrainRunner:
    """One train job. `run` returns when the job has ended, was stopped, or is to go on under another runner."""

    def __init__(self, context: RunnerContext, job: TrainJob, datasets: JobDatasets) -> None:
        self._context = context
        self._store = context.store
        self._job = job
        budget_s = float(job.budget.get(BudgetOption.TIME_HOURS, 0.1)) * 3600
        self._clock = ActiveClock(job.active_s, budget_s)
        self._is_hard_limit = bool(job.budget.get(BudgetOption.HARD_LIMIT, False))
        self._n_cpu_trials = int(job.budget.get(BudgetOption.WORKER_COUNT) or context.settings.cores)
        self._tunings: dict[str, ModelTuning] = {}
        self._invalid: dict[str, Failure] = {}  # by model id
        self._is_running = False
        self._changed = asyncio.Event()
        self._slots = SlotLeases(context)
        executor = PlatformExecutor(context.settings)
        self._runs = TrialRuns(context, job, datasets, self._clock, executor, self._slots, on_change=self._changed.set)
        context.on_hint = lambda what: self._changed.set()

    async def run(self) -> None:
        saving = asyncio.create_task(self._save_active_time())
        stopping = asyncio.create_task(self._context.stopping.wait())
        stopping.add_done_callback(lambda _: self._changed.set())
        try:
            await self._context.db(self._store.trials.settle_running, self._job.id, _INTERRUPTED)
            while not self._context.stopping.is_set():
                self._runs.raise_faults()
                await self._take_up_models()
                await self._start_trials()
                self._stop_over_budget()
                if self._has_ended():
                    await self._finish()
                    return
                await self._wait_for_change()
            await self._leave()
        finally:
            saving.cancel()
            stopping.cancel()
            await self._runs.kill()

    # Models -----------------------------------------------------------------------------------------------------------

    async def _take_up_models(self) -> None:
        """Start the search of each model whose check has ended well; note those whose check has not."""
        for place, model_id in enumerate(self._job.model_ids):
            if model_id in self._tunings or model_id in self._invalid:
                continue
            model = await self._context.db(self._store.catalog.get_model, model_id)
            if model is None:
                self._invalid[model_id] = Failure(FailureCode.INVALID_MODELS, f"Model {model_id} was deleted.")
            elif model.status == ModelStatus.INVALID:
                self._invalid[model_id] = _invalid(model)
            elif model.status == ModelStatus.READY:
                try:
                    self._tunings[model_id] = await self._make_tuning(model, self._n_gpus_of(place))
                except ValueError as error:  # the advisor that the budget names cannot search this model's knobs
                    hint = "Leave ADVISOR out of the budget: each model then gets one that fits."
                    self._invalid[model_id] = Failure(FailureCode.INVALID_MODELS, str(error), hint)

    def _n_gpus_of(self, place: int) -> int:
        """GPUs are split evenly over the models; the first ones get what is left over."""
        n_gpus = int(self._job.budget.get(BudgetOption.GPU_COUNT, 0))
        each, left = divmod(n_gpus, len(self._job.model_ids))
        return each + (place < left)

    async def _make_tuning(self, model: Model, n_gpus: int) -> ModelTuning:
        # The seed names job and model: stored trials told again lead to the same next proposal.
        seed = int.from_bytes(hashlib.sha256(f"{self._job.seed}:{model.id}".encode()).digest()[:6], "big")
        knob_config = deserialize_knob_config(model.knob_config or "{}")
        advisor = make_advisor(knob_config, self._job.budget, seed=seed, time_progress=self._clock.progress)
        tuning = ModelTuning(model, advisor, self._context.settings.max_failures_in_row, n_gpus)
        tuning.replay(await self._context.db(self._store.trials.of_model, self._job.id, model.id))
        return tuning

    # Trials -----------------------------------------------------------------------------------------------------------

    async def _start_trials(self) -> None:
        refused: set[Kind] = set()
        while (tuning := self._next_tuning(refused)) is not None:
            slot = await self._slots.take(_kind_of(tuning))
            if slot is None:
                refused.add(_kind_of(tuning))
            elif not await self._runs.start(tuning, slot):
                self._slots.keep(slot)
                self._runs.end_idle(tuning)
            elif not self._is_running:
                await self._context.db(self._store.train_jobs.mark_running, self._job.id, self._context.epoch)
                self._is_running = True
        await self._slots.give_back_unused(wanted=set(map(_kind_of, self._candidates())))

    def _next_tuning(self, refused: Collection[Kind]) -> ModelTuning | None:
        """The model whose turn it is: of those that may run one more trial, the one with the fewest. One that waits for
        a GPU does not hold up those that run on cores.
        """
        candidates = [tuning for tuning in self._candidates() if _kind_of(tuning) not in refused]
        return min(candidates, key=lambda tuning: (tuning.n_running, tuning.n_started), default=None)

    def _candidates(self) -> list[ModelTuning]:
        """The models that may run one more trial, as far as there are slots."""
        for tuning in self._tunings.values():
            if tuning.is_searching and not self._has_time_for(tuning):
                tuning.end_search()
        n_cpu = sum(tuning.n_running for tuning in self._tunings.values() if not tuning.n_gpus)
        return [
            tuning
            for tuning in self._tunings.values()
            if tuning.is_searching
            and (tuning.n_running < tuning.n_gpus if tuning.n_gpus else n_cpu < self._n_cpu_trials)
        ]

    def _has_time_for(self, tuning: ModelTuning) -> bool:
        if self._clock.is_over:
            return False
        typical_s = tuning.typical_duration_s()
        return typical_s is None or typical_s <= self._clock.remaining_s

    def _stop_over_budget(self) -> None:
        """Once the time is over, what still runs is stopped, but for a model's first trial."""
        if self._clock.is_over:
            for run in self._runs.running:
                if self._is_hard_limit or run.tuning.n_completed:
                    run.stop(_BUDGET_OVER)

    async def _wait_for_change(self) -> None:
        limits_s = []
        if self._runs.running and not self._clock.is_over:
            limits_s.append(self._clock.remaining_s)
        if self._slots.is_waiting or len(self._tunings) + len(self._invalid) < len(self._job.model_ids):
            limits_s.append(FALLBACK_INTERVAL_S)
        try:
            await asyncio.wait_for(self._changed.wait(), min(limits_s, default=None))
        except TimeoutError:
            return
        self._changed.clear()

    # The end ----------------------------------------------------------------------------------------------------------

    def _has_ended(self) -> bool:
        is_settled = len(self._tunings) + len(self._invalid) == len(self._job.model_ids)
        return is_settled and all(tuning.has_ended for tuning in self._tunings.values())

    async def _finish(self) -> None:
        failures = self._invalid | {t.model.id: t.failure for t in self._tunings.values() if t.failure}
        status = TrainJobStatus.ERRORED if failures else TrainJobStatus.STOPPED
        await self._runs.close()
        await self._context.db(self._save_elapsed)
        await self._context.db(
            self._store.train_jobs.finish, self._job.id, self._context.epoch, status, _job_failure(failures)
        )
        logger.info("job %s ends %s", self._job.id, status)

    async def _leave(self) -> None:
        """Stopped: the rows are settled already. Suspended: settle them; the next runner tries the trials again."""
        await self._runs.kill()
        if self._context.suspended:
            await self._context.db(self._save_elapsed)
            await self._context.db(self._store.trials.settle_running, self._job.id, _INTERRUPTED)

    async def _save_active_time(self) -> None:
        while True:
            await asyncio.sleep(ACTIVE_TIME_INTERVAL_S)
            try:
                await self._context.db(self._save_elapsed)
            except FencedError:  # another runner has the job: end, even in the middle of a long trial
                self._context.stopping.set()
                return

    def _save_elapsed(self) -> None:
        self._store.train_jobs.add_active_s(self._job.id, self._context.epoch, self._clock.elapsed_s)


_INTERRUPTED = Failure(
    FailureCode.INTERRUPTED, "The platform stopped while this trial was running.", "It is tried again when it is back."
)
_BUDGET_OVER = Failure(
    FailureCode.BUDGET_OVER,
    "The job's time budget was over while this trial was running.",
    "A larger TIME_HOURS lets more trials end.",
)


def _kind_of(tuning: ModelTuning) -> Kind:
    return "gpu" if tuning.n_gpus else "core"


def _invalid(model: Model) -> Failure:
    reason = model.error or Failure(FailureCode.INTERNAL, "no reason was recorded")
    return Failure(
        FailureCode.INVALID_MODELS,
        f"Model {model.name!r} cannot be used ({reason.code}): {reason.message}",
        reason.hint,
    )


def _job_failure(failures: dict[str, Failure]) -> Failure | None:
    """One reason for the job; it names every model that failed, and why."""
    if not failures:
        return None
    first = next(iter(failures.values()))
    return Failure(first.code, " ".join(failure.message for failure in failures.values()), first.hint)


async def run_job(arguments: RunnerArguments) -> None:
    store = Store.open(arguments.settings)
    context = RunnerContext(arguments, store)
    try:
        await context.db(store.jobs.check_epoch, arguments.job_id, arguments.epoch)
        job = await context.db(store.train_jobs.get, arguments.job_id)
        if job is None:
            return
        await context.start()
        datasets = await prepare_datasets(context, job)
        if datasets is not None:
            await TrainRunner(context, job, datasets).run()
    except FencedError:
        logger.info("job %s has another runner or has ended: this one exits", arguments.job_id)
    finally:
        await context.close()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(run_job(RunnerArguments.parse()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
