"""Workers as child processes of this process, each on a socket pair of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from rafiki.entities import Failure
from rafiki.executor.abilities import is_confining
from rafiki.executor.base import Executor, Worker, WorkerSpec
from rafiki.executor.local_worker import LocalWorker
from rafiki.executor.meter import LOOK_INTERVAL_S


class LocalExecutor(Executor):
    """Must be used in the main thread: a worker is killed when the thread that started it ends.

    `confinement` is the setting of that name; what it comes to on this machine, `rafiki.executor.abilities` says.
    """

    def __init__(self, confinement: str = "off") -> None:
        self._confinement = confinement
        self._workers: set[LocalWorker] = set()
        self._looking: asyncio.Task[None] | None = None

    async def start(self, spec: WorkerSpec) -> Worker:
        is_confined = await asyncio.to_thread(is_confining, self._confinement)
        our_socket, worker_socket = socket.socketpair()
        with worker_socket:
            try:
                loop = asyncio.get_running_loop()
                _, worker = await loop.create_unix_connection(lambda: LocalWorker(spec), sock=our_socket)
            except BaseException:
                our_socket.close()
                raise
            worker.launch(worker_socket, is_confined)
        self._workers.add(worker)
        worker.exited.add_done_callback(lambda _: self._workers.discard(worker))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_at_workers(), name="meters of workers")
        return worker

    async def _look_at_workers(self) -> None:
        """End those that use more than they may."""
        while self._workers:
            await asyncio.sleep(LOOK_INTERVAL_S)
            workers = list(self._workers)
            excesses = await asyncio.to_thread(_look_at, workers)
            for worker, excess in zip(workers, excesses, strict=True):
                if excess is not None:
                    worker.end(excess)

    async def close(self) -> None:
        workers = list(self._workers)
        for worker in workers:
            worker.kill()
        await asyncio.gather(*(worker.exited for worker in workers))
        if self._looking is not None:
            self._looking.cancel()


def _look_at(workers: Sequence[LocalWorker]) -> list[Failure | None]:
    return [worker.meter.look() for worker in workers]
