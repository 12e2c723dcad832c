"""The supervisor: makes what runs agree with what the rows say, at start and whenever something changes.

A job whose status is live should have one runner; a model or dataset that is `CHECKING` should be under check.
`reconcile` looks at the rows and does what is missing; it may run at any time, and twice. What it holds in memory (the
handles of live runners) is rebuilt at start by adopting the runners that outlived the last server.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from rafiki import control
from rafiki.entities import Failure, FailureCode, RunnerProcess
from rafiki.environment import EnvironmentBuilder
from rafiki.environment.image import Images
from rafiki.executor.container import remove_left_over
from rafiki.executor.scratch import remove_folder
from rafiki.server.dataset_check import DatasetChecks
from rafiki.server.job_environments import JobEnvironments
from rafiki.server.model_check import ModelChecks
from rafiki.server.runner_process import RunnerHandle, launch
from rafiki.settings import Settings
from rafiki.store import Store

logger = logging.getLogger("rafiki.supervisor")

#: A job whose runner dies so often, each time before it was up for so long, is given up.
MAX_FAILED_STARTS = 5
GOOD_RUN_S = 30.0
RESTART_DELAY_S = 0.2  # doubled per failed start

_INTERRUPTED = Failure(
    FailureCode.INTERRUPTED,
    "The job's runner ended while this trial was running.",
    "The trial is tried again as its next attempt.",
)


class Supervisor:
    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._runners: dict[str, RunnerHandle] = {}
        self._job_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._watches: set[asyncio.Task[None]] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._environments = EnvironmentBuilder(settings)
        self._checks = ModelChecks(settings, store, self._environments, on_checked=lambda: self._hint("models"))
        self._job_environments = JobEnvironments(store, self._environments, Images(settings), on_built=self.wake)
        self._dataset_checks = DatasetChecks(settings, store, on_checked=lambda: self._hint("datasets"))
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reconciling: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        """Adopt or restart what should run. Returns when the first round is under way."""
        self._loop = asyncio.get_running_loop()
        for folder in (self._settings.run_dir, self._settings.scratch_dir, self._settings.logs_dir):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(self._store.slots.set_inventory, self._settings.cores, self._settings.gpu_indices)
        await asyncio.to_thread(self._environments.folder.sweep)
        await self._remove_containers(self._settings.scratch_dir, "check-*")  # of checks that a dead server began
        await self._end_left_over()
        live = await asyncio.to_thread(self._store.jobs.live)
        await asyncio.gather(*(self._adopt(process) for process in live))
        self._changed.set()
        self._reconciling = asyncio.create_task(self._reconcile_forever())

    def wake(self) -> None:
        """Something changed that may need doing. Callable from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._changed.set)

    async def stop_job(self, job_id: str) -> None:
        """End the runner of a job whose row has ended. When this returns, no process of the job is left."""
        async with self._job_locks[job_id]:
            handle = self._runners.get(job_id)
            if handle is not None:
                await handle.end({"type": "stop"})
                await self._settle(handle)

    async def close(self, leave_running: bool = False) -> None:
        """End all processes, or leave the runners running; either way no job's desired state changes."""
        self._closing = True
        if self._reconciling is not None:
            self._reconciling.cancel()
            await asyncio.wait({self._reconciling})
        await self._job_environments.close()
        await self._checks.close()
        await self._environments.close()
        await self._dataset_checks.close()
        if leave_running:
            for handle in self._runners.values():
                handle.disconnect()
        else:
            await asyncio.gather(*(self._suspend(handle) for handle in list(self._runners.values())))
        for watch in self._watches:
            watch.cancel()

    async def _suspend(self, handle: RunnerHandle) -> None:
        await handle.end({"type": "suspend"})
        await self._settle(handle)

    # Reconciling --------------------------------------------------------------------------------------------------

    async def _reconcile_forever(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._reconcile()
            except Exception:  # one job's trouble must not end the supervision of all the others
                logger.exception("the supervisor could not reconcile")

    async def _reconcile(self) -> None:
        await self._checks.take_up()
        await self._dataset_checks.take_up()
        live = {process.job_id: process for process in await asyncio.to_thread(self._store.jobs.live)}
        missing = [process for job_id, process in live.items() if job_id not in self._runners]
        await asyncio.gather(*(self._start_runner(process) for process in missing))

    async def _end_left_over(self) -> None:
        """End the runners of jobs that had ended when the last server did not live to see their processes end."""
        for process in await asyncio.to_thread(self._store.jobs.ended_with_process):
            handle = _handle_of(process, self._receive)
            if handle is not None:
                handle.kill()
                await handle.exited
            await self._settle_job(process.job_id)

    async def _adopt(self, process: RunnerProcess) -> None:
        handle = _handle_of(process, self._receive)
        if handle is None:
            return
        try:
            await handle.connect(self._settings)
        except OSError:
            logger.warning("runner %d of job %s does not answer: restarting it", process.pid, process.job_id)
            handle.kill()
            await handle.exited
            return
        logger.info("adopted runner %d of job %s", process.pid, process.job_id)
        self._watch(handle)

    async def _start_runner(self, process: RunnerProcess) -> None:
        if not await self._job_environments.are_there(process.job_id):
            return
        async with self._job_locks[process.job_id]:
            if process.job_id in self._runners:
                return
            claimed = await asyncio.to_thread(self._store.jobs.claim, process.job_id)
            if claimed is None:  # it has ended meanwhile
                return
            await self._settle_job(claimed.job_id)
            pid, ready = await launch(self._settings, claimed)
            handle = RunnerHandle(claimed.job_id, claimed.kind, claimed.epoch, pid, self._receive)
            start_time = control.process_start_time(pid)
            if start_time is not None:
                await asyncio.to_thread(self._store.jobs.set_process, claimed.job_id, claimed.epoch, pid, start_time)
            self._watch(handle)
        connecting = asyncio.create_task(self._connect_when_ready(handle, ready))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _connect_when_ready(self, handle: RunnerHandle, ready: asyncio.Task[bool]) -> None:
        try:
            if await ready:
                await handle.connect(self._settings)
                return
        except OSError:
            logger.warning("runner %d of job %s is not to be reached", handle.pid, handle.job_id)
        handle.kill()

    def _watch(self, handle: RunnerHandle) -> None:
        self._runners[handle.job_id] = handle
        watch = asyncio.create_task(self._watch_until_exit(handle), name=f"watch of job {handle.job_id}")
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def _watch_until_exit(self, handle: RunnerHandle) -> None:
        await asyncio.wait({handle.exited})
        async with self._job_locks[handle.job_id]:
            if self._closing or self._runners.get(handle.job_id) is not handle:
                return
            await self._settle(handle)
            live = await asyncio.to_thread(self._store.jobs.live)
            if all(process.job_id != handle.job_id for process in live):
                return
            if handle.age_s > GOOD_RUN_S:
                await asyncio.to_thread(self._store.jobs.note_good_start, handle.job_id)
            n_failed = await asyncio.to_thread(self._store.jobs.note_failed_start, handle.job_id)
            logger.warning("runner %d of job %s died (%d in a row)", handle.pid, handle.job_id, n_failed)
            if n_failed >= MAX_FAILED_STARTS:
                await asyncio.to_thread(self._give_up, handle)
                return
        loop = asyncio.get_running_loop()
        # The first restart is at once; a runner that keeps dying must not keep the machine busy.
        loop.call_later(RESTART_DELAY_S * (2 ** (n_failed - 1) - 1), self._changed.set)

    def _give_up(self, handle: RunnerHandle) -> None:
        log_path = self._settings.logs_dir / f"{handle.job_id}.log"
        failure = Failure(
            FailureCode.INTERNAL,
            f"The job's runner died {MAX_FAILED_STARTS} times in a row.",
            f"The end of {log_path} tells why.",
        )
        jobs = self._store.train_jobs if handle.kind == "TRAIN" else self._store.inference_jobs
        jobs.finish(handle.job_id, handle.epoch, "ERRORED", failure)

    # What a dead runner leaves ----------------------------------------------------------------------------------------

    async def _settle(self, handle: RunnerHandle) -> None:
        """Settle the rows of a runner that has ended, and remove its files. The job's lock is held."""
        self._runners.pop(handle.job_id, None)
        await self._settle_job(handle.job_id)
        self._hint("slots")

    async def _settle_job(self, job_id: str) -> None:
        await self._remove_containers(self._settings.scratch_dir / job_id)
        await asyncio.to_thread(self._settle_rows, job_id)

    async def _remove_containers(self, folder: Path, pattern: str = "*") -> None:
        """Those of a runner that was killed: other workers end with their runner."""
        await remove_left_over(self._settings.container_engine, folder, pattern)

    def _settle_rows(self, job_id: str) -> None:
        self._store.jobs.clear_process(job_id)
        self._store.trials.settle_running(job_id, _INTERRUPTED)
        self._store.slots.release_all(job_id)
        remove_folder(self._settings.scratch_dir / job_id)
        control.control_path(self._settings.run_dir, job_id).unlink(missing_ok=True)

    # Messages ---------------------------------------------------------------------------------------------------------

    def _receive(self, job_id: str, message: control.Message) -> None:
        if message.get("type") == "changed":
            self._hint(str(message.get("what")), but=job_id)

    def _hint(self, what: str, but: str | None = None) -> None:
        for handle in self._runners.values():
            if handle.job_id != but:
                handle.send({"type": "hint", "what": what})


def _handle_of(process: RunnerProcess, on_message: Callable[[str, control.Message], None]) -> RunnerHandle | None:
    """The runner that a row names, if that very process is alive."""
    if process.pid is None or control.process_start_time(process.pid) != process.start_time:
        return None
    try:
        return RunnerHandle(process.job_id, process.kind, process.epoch, process.pid, on_message)
    except ProcessLookupError:
        return None
