"""Which trials an inference job serves, and how each becomes a loaded worker."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from rafiki.constants import InferenceBudgetOption
from rafiki.entities import InferenceJob, Trial
from rafiki.environment import find_environment
from rafiki.executor import Allowance, Executor, Worker, WorkerSpec
from rafiki.executor.scratch import remove_folder
from rafiki.predictor import MemberPlan
from rafiki.runner.context import RunnerContext
from rafiki.worker.frames import Load

logger = logging.getLogger("rafiki.runner")

DEFAULT_MAX_MEMBERS = 4


@dataclass(frozen=True)
class PlannedMembers:
    task: str
    members: list[MemberPlan]  # best first; empty where the train job has no saved trial


class MemberPlans:
    """Makes the plans of an inference job's members from its rows."""

    def __init__(self, context: RunnerContext, job: InferenceJob, executor: Executor) -> None:
        self._context = context
        self._store = context.store
        self._settings = context.settings
        self._job = job
        self._executor = executor

    async def make(self) -> PlannedMembers:
        train_job = await self._context.db(self._store.train_jobs.get, self._job.train_job_id)
        assert train_job is not None, f"train job {self._job.train_job_id} is gone"
        best = await self._context.db(self._store.trials.best, train_job.id)
        max_members = int(self._job.budget.get(InferenceBudgetOption.MAX_MEMBERS) or DEFAULT_MAX_MEMBERS)
        trials = choose_trials(best, max_members)
        gpus = spread(await self._lease_gpus(), len(trials))
        plans = [await self._plan(index, trial, gpus[index], len(trials)) for index, trial in enumerate(trials)]
        return PlannedMembers(train_job.task, plans)

    async def _lease_gpus(self) -> list[int]:
        """As many of the job's GPUs as are free. Members hold them until the runner's end; the server frees them."""
        slots = self._store.slots
        n_wanted = int(self._job.budget.get(InferenceBudgetOption.GPU_COUNT) or 0)
        leased: list[int] = []
        for _ in range(n_wanted):
            slot = await self._context.db(slots.acquire, self._job.id, self._context.epoch, "gpu")
            if slot is None:
                await self._context.db(slots.stop_waiting, self._job.id)
                logger.warning("job %s has %d of its %d GPUs: others are in use", self._job.id, len(leased), n_wanted)
                break
            leased.append(slot.index)
        return leased

    async def _plan(self, index: int, trial: Trial, gpus: tuple[int, ...], n_members: int) -> MemberPlan:
        model = await self._context.db(self._store.catalog.get_model, trial.model_id)
        assert model is not None, f"model {trial.model_id} of trial {trial.id} is gone"
        assert trial.params_hash is not None, f"trial {trial.id} is not saved"
        blobs = self._store.blobs
        job_dir = self._settings.scratch_dir / self._job.id
        params_path = blobs.path(trial.params_hash)
        attempts = itertools.count(1)

        async def start() -> Worker:
            environment = await asyncio.to_thread(find_environment, self._settings, model.environment)
            worker_id = f"{self._job.id[:8]}-{self._context.epoch}-{index + 1}"
            scratch_dir = job_dir / f"{worker_id}-{next(attempts)}"
            for used in job_dir.glob(f"{worker_id}-*"):
                await asyncio.to_thread(remove_folder, used)
            scratch_dir.mkdir(parents=True)
            return await self._executor.start(
                WorkerSpec(
                    worker_id=worker_id,
                    environment=environment,
                    model_path=blobs.path(model.source_hash),
                    model_class=model.model_class,
                    scratch_dir=scratch_dir,
                    cache_dir=None,
                    n_threads=max(1, self._settings.cores // n_members),
                    gpus=gpus,
                    allowance=Allowance.of(self._settings, model.id, params_path),
                )
            )

        load = Load(trial.proposal["knobs"], str(params_path))
        return MemberPlan(model.name, trial.id, load, start)


def choose_trials(best: Sequence[Trial], max_members: int) -> list[Trial]:
    """Of saved trials by descending score: the best of each model; where there is one model alone, its next, too."""
    firsts: dict[str, Trial] = {}
    for trial in best:
        firsts.setdefault(trial.model_id, trial)
    chosen = list(firsts.values()) if len(firsts) > 1 else list(best[:2])
    return chosen[:max_members]


def spread(gpus: Sequence[int], n_members: int) -> list[tuple[int, ...]]:
    """GPUs dealt out evenly, the first members first; those for whom none is left run on CPU."""
    return [tuple(gpus[index::n_members]) for index in range(n_members)]
