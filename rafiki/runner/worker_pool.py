"""The workers of one train job, kept between trials: importing a framework costs more than many a trial."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from pathlib import Path

from rafiki.entities import Model
from rafiki.environment import find_environment
from rafiki.executor import Allowance, Executor, Worker, WorkerSpec
from rafiki.executor.scratch import remove_folder
from rafiki.runner.trial_limits import TrialLimits
from rafiki.settings import Settings


@dataclass(frozen=True)
class WorkerPlace:
    """A worker of a model (on a GPU, where it has one), started or about to be."""

    worker_id: str
    model: Model
    gpu: int | None


class WorkerPool:
    """Hands out workers by model. At most `n_kept` idle ones stay; beyond that the longest idle one is ended. A GPU has
    one worker at a time.

    Beside its own files a worker can read `readable`, and what is in its model's `shared_dir`.
    """

    def __init__(
        self,
        settings: Settings,
        limits: TrialLimits,
        executor: Executor,
        job_id: str,
        epoch: int,
        readable: tuple[Path, ...],
        n_kept: int,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._executor = executor
        self._job_dir = settings.scratch_dir / job_id
        self._prefix = f"{job_id[:8]}-{epoch}"
        self._readable = readable
        self._numbers = itertools.count(1)
        self._n_kept = n_kept
        self._idle: list[tuple[WorkerPlace, Worker]] = []  # the longest idle first
        self._ending: dict[asyncio.Task[None], Worker] = {}

    def take(self, model: Model, gpu: int | None) -> tuple[WorkerPlace, Worker | None]:
        """An idle worker of this model and GPU, or the place of one that is yet to be started."""
        for idle in self._idle:
            place, worker = idle
            if place.model.id == model.id and place.gpu == gpu and not worker.exited.done():
                self._idle.remove(idle)
                return place, worker
        return WorkerPlace(f"{self._prefix}-{next(self._numbers)}", model, gpu), None

    def shared_dir(self, model: Model) -> Path:
        """What the model's workers can read and none can change, also what is put there later."""
        return self._job_dir / f"shared-{model.id}"

    async def start(self, place: WorkerPlace, model_path: Path) -> Worker:
        """Raises `EnvironmentBuildError` when the model's environment is not there (any more)."""
        model = place.model
        if place.gpu is not None:
            await self.vacate_gpu(place.gpu)  # another model's idle worker may hold all of its memory
        environment = await asyncio.to_thread(find_environment, self._settings, model.environment)
        scratch_dir = self._job_dir / place.worker_id
        cache_dir = self._job_dir / f"cache-{model.id}"
        shared_dir = self.shared_dir(model)
        for folder in (scratch_dir, cache_dir, shared_dir):
            folder.mkdir(parents=True, exist_ok=True)
        return await self._executor.start(
            WorkerSpec(
                worker_id=place.worker_id,
                environment=environment,
                model_path=model_path,
                model_class=model.model_class,
                scratch_dir=scratch_dir,
                cache_dir=cache_dir,
                n_threads=1,
                gpus=() if place.gpu is None else (place.gpu,),
                allowance=Allowance.of(
                    self._settings, model.id, shared_dir, *self._readable, memory_bytes=self._limits.memory_bytes
                ),
            )
        )

    def put_back(self, place: WorkerPlace, worker: Worker | None) -> None:
        """Keep a worker for its model's next trial; a dead one is forgotten."""
        if worker is None:
            return
        if worker.is_worn or worker.exited.done():
            self._end(worker)
            return
        self._idle.append((place, worker))
        while len(self._idle) > self._n_kept:
            self._end(self._idle.pop(0)[1])

    def end_idle(self, model_id: str) -> None:
        """The model's search is over: its workers are not needed any more."""
        for place, worker in self._idle:
            if place.model.id == model_id:
                self._end(worker)
        self._idle = [idle for idle in self._idle if idle[0].model.id != model_id]

    def _end(self, worker: Worker) -> None:
        ending = asyncio.create_task(_end(worker))
        self._ending[ending] = worker
        ending.add_done_callback(self._ending.pop)

    async def vacate_gpu(self, gpu: int) -> None:
        """End what is idle on a GPU. Returns when no process is left there but those that are at work."""
        for idle in [idle for idle in self._idle if idle[0].gpu == gpu]:
            self._idle.remove(idle)
            self._end(idle[1])
        await asyncio.gather(*(ending for ending, worker in self._ending.items() if gpu in worker.spec.gpus))

    async def close(self) -> None:
        """End all idle workers in order: their templates' `teardown` is called."""
        for _, worker in self._idle:
            self._end(worker)
        self._idle.clear()
        await asyncio.gather(*self._ending)


async def _end(worker: Worker) -> None:
    """In order, and nothing that it wrote stays."""
    await worker.stop()
    await asyncio.to_thread(remove_folder, worker.spec.scratch_dir)
