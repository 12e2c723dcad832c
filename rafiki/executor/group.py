"""The workers of an executor: looked at again and again, and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rafiki.entities import Failure
from rafiki.executor.meter import LOOK_INTERVAL_S
from rafiki.executor.socket_worker import SocketWorker


class WorkerGroup:
    def __init__(self) -> None:
        self._workers: set[SocketWorker] = set()
        self._looking: asyncio.Task[None] | None = None

    def add(self, worker: SocketWorker) -> None:
        """One that has begun; it leaves the group when it has ended."""
        self._workers.add(worker)
        worker.exited.add_done_callback(lambda _: self._workers.discard(worker))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_at_workers(), name="meters of workers")

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
        """End all of them at once. When this returns, none is left."""
        workers = list(self._workers)
        for worker in workers:
            worker.kill()
        await asyncio.gather(*(worker.exited for worker in workers))
        if self._looking is not None:
            self._looking.cancel()


def _look_at(workers: Sequence[SocketWorker]) -> list[Failure | None]:
    return [worker.meter.look() for worker in workers]
