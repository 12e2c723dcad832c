"""Workers as child processes of this process, each on a socket pair of its own."""

from __future__ import annotations

import asyncio
import socket

from rafiki.executor.abilities import is_confining
from rafiki.executor.base import Executor, Worker, WorkerSpec
from rafiki.executor.group import WorkerGroup
from rafiki.executor.process import WorkerProcess
from rafiki.executor.socket_worker import SocketWorker


class LocalExecutor(Executor):
    """Must be used in the main thread: a worker is killed when the thread that started it ends.

    `confinement` is the setting of that name; what it comes to on this machine, `rafiki.executor.abilities` says.
    """

    def __init__(self, confinement: str = "off") -> None:
        self._confinement = confinement
        self._workers = WorkerGroup()

    async def start(self, spec: WorkerSpec) -> Worker:
        is_confined = await asyncio.to_thread(is_confining, self._confinement)
        our_socket, worker_socket = socket.socketpair()
        with worker_socket:
            try:
                loop = asyncio.get_running_loop()
                _, worker = await loop.create_unix_connection(lambda: SocketWorker(spec), sock=our_socket)
            except BaseException:
                our_socket.close()
                raise
            try:
                process = WorkerProcess(spec, worker_socket, is_confined, worker.process_ended, worker.count_output)
            except BaseException:
                worker.abandon()
                raise
            worker.begin(process)
        self._workers.add(worker)
        return worker

    async def close(self) -> None:
        await self._workers.close()
