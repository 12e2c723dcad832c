"""A worker at the other end of a socket, whatever kind of process it is."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
from typing import Any, cast

from rafiki.entities import Failure, FailureCode
from rafiki.executor.base import CallFailed, Process, Worker, WorkerDied, WorkerExit, WorkerSpec
from rafiki.executor.meter import Meter
from rafiki.worker.frames import (
    ANSWERS,
    MAX_FRAME_BYTES,
    REPLIES,
    Bulk,
    Exit,
    Failed,
    FrameSplitter,
    Log,
    Predict,
    ProtocolError,
    Reply,
    Request,
    decode,
    encode,
    fetch,
    to_wire,
)

logger = logging.getLogger("rafiki.executor")

#: How long an ended process's last frames are waited for: a child that left its session may hold the socket open.
_LAST_FRAMES_S = 0.2
#: How long a process may go on that has closed its end of the connection.
_HANGUP_GRACE_S = 1.0


class SocketWorker(Worker, asyncio.Protocol):
    """The process, and the runner's end of its connection.

    An executor makes it, then connects it, then calls `begin` with its process, which tells of its end by
    `process_ended` and of what it prints by `count_output`. Whoever cannot start the process calls `abandon`.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        self.id = spec.worker_id
        self.spec = spec
        self._scratch_dir = str(spec.scratch_dir)
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[WorkerExit] = self._loop.create_future()
        self._numbers = itertools.count(1)
        self._last_number = 0
        self._pending: dict[int, tuple[Request, asyncio.Future[Reply]]] = {}
        self._splitter = FrameSplitter()
        self._fetching: asyncio.Task[None] | None = None
        self._has_process_ended = False
        self._has_connection_ended = False
        self._was_stopped = False
        self._reason: Failure | None = None
        self._n_output_bytes = 0  # since the last call was made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def begin(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid
        folders = (self.spec.scratch_dir, *([self.spec.cache_dir] if self.spec.cache_dir is not None else []))
        self.meter = Meter(self.pid, self.spec.allowance.limits, folders, process.oom_counter)

    def abandon(self) -> None:
        self._has_connection_ended = True
        self._transport.abort()

    # Calls ------------------------------------------------------------------------------------------------------------

    @property
    def exited(self) -> asyncio.Future[WorkerExit]:
        return asyncio.shield(self._exited)

    async def call(
        self, request: Request, *, timeout_s: float | None = None, cpu_limit_s: float | None = None
    ) -> Reply:
        self.meter.limit_cpu(cpu_limit_s)
        self._n_output_bytes = 0
        if timeout_s is None:
            return await self._call(request)
        async with asyncio.timeout(timeout_s):
            return await self._call(request)

    async def _call(self, request: Request) -> Reply:
        number = self._last_number = next(self._numbers)
        body = encode(request, number)
        if len(body) <= MAX_FRAME_BYTES:
            wire = to_wire(body, self._scratch_dir)
        else:
            wire = await self._loop.run_in_executor(None, to_wire, body, self._scratch_dir)
        if self._exited.done():
            raise WorkerDied(self._exited.result())
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._pending[number] = (request, answer)
        try:
            self._transport.write(wire)
            reply = await answer
        finally:
            self._pending.pop(number, None)
        if isinstance(reply, Failed):
            raise CallFailed(reply.failure)
        return reply

    @property
    def is_worn(self) -> bool:
        return self.meter.is_half_used

    async def stop(self, grace_s: float = 5.0) -> None:
        self._was_stopped = True
        if not self._has_connection_ended:
            self._transport.write(to_wire(encode(Exit(), None), self._scratch_dir))
        await asyncio.wait({self.exited}, timeout=grace_s)
        self.kill()
        await self.exited

    def kill(self) -> None:
        if not self._exited.done():
            self._was_stopped = True
            self._process.kill()

    # What the worker sends --------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._splitter.feed(data)
        if self._fetching is None:
            self._take_frames()

    def _take_frames(self) -> None:
        try:
            for body in self._splitter.bodies():
                message_id, message = decode(body, REPLIES)
                if isinstance(message, Bulk):
                    self._transport.pause_reading()  # one at a time: they are large
                    self._fetching = self._loop.create_task(self._fetch(message))
                    return
                self._receive(message_id, message, len(body))
        except ProtocolError as error:
            self._break(str(error))

    async def _fetch(self, bulk: Bulk) -> None:
        def read() -> tuple[int | None, object, int]:
            body = fetch(bulk, self._scratch_dir)
            return (*decode(body, REPLIES), len(body))

        try:
            self._receive(*await self._loop.run_in_executor(None, read))
        except ProtocolError as error:
            self._break(str(error))
            return
        self._fetching = None
        self._transport.resume_reading()
        self._take_frames()

    def _receive(self, message_id: int | None, message: object, n_bytes: int) -> None:
        if isinstance(message, Log):
            self.count_output(n_bytes)
            self._receive_log(message)
            return
        if message_id is None or not 0 < message_id <= self._last_number:
            raise ProtocolError(f"an answer to call {message_id}, which was never made")
        request, answer = self._pending.get(message_id, (None, None))
        if request is None or answer is None or answer.done():
            self.count_output(n_bytes)
            return  # its caller has given up
        answer.set_result(_checked_answer(request, message))

    def _receive_log(self, log: Log) -> None:
        if self.on_log is None:
            return
        try:
            self.on_log(log)
        except Exception:  # an exception here would end the connection, and the worker is not to blame
            logger.exception("a log of worker %s could not be taken", self.id)

    # The end ----------------------------------------------------------------------------------------------------------

    def end(self, reason: Failure) -> None:
        """End a worker that does what none may; nothing more is read from it."""
        if self._reason is None and not self._exited.done():
            self._reason = reason
            self._transport.abort()
            self._process.kill()

    def _break(self, reason: str) -> None:
        """It sent what is no frame of ours."""
        message = f"The worker broke its protocol and was ended: {reason}."
        hint = "The template's code must leave the worker's files alone."
        self.end(Failure(FailureCode.PROTOCOL, message, hint))

    def count_output(self, n_bytes: int) -> None:
        self._n_output_bytes += n_bytes
        limit = self.spec.allowance.limits.output_bytes
        if limit is not None and self._n_output_bytes > limit:
            message = f"The worker logged and printed more than {limit / 2**20:,.0f} MB."
            hint = "Print less, or ask for a higher limit (worker_output_bytes)."
            self.end(Failure(FailureCode.OUTPUT_LIMIT, message, hint))

    def eof_received(self) -> bool:
        self._connection_ended()
        return True  # our end stays open until the process has ended: it would take the closing for our death

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection_ended()

    def _connection_ended(self) -> None:
        if self._has_connection_ended:
            return
        self._has_connection_ended = True
        if self._has_process_ended:
            self._settle()
        else:
            self._loop.call_later(_HANGUP_GRACE_S, self._hung_up)

    def _hung_up(self) -> None:
        if not self._process.is_over:
            self._break("it closed its connection")

    def process_ended(self) -> None:
        self._has_process_ended = True
        if self._has_connection_ended:
            self._settle()
        else:
            self._loop.call_later(_LAST_FRAMES_S, self._settle)

    def _settle(self) -> None:
        """The process has ended and its last frames are read: tell everybody."""
        if self._exited.done():
            return
        end = self._process.reap()
        code = end.code
        was_killed = code == -signal.SIGKILL
        worker_exit = WorkerExit(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            output=end.output,
            was_stopped=self._was_stopped,
            reason=self._reason or (self.meter.excess_of_memory() if was_killed and end.was_out_of_memory else None),
            was_short_of_memory=was_killed and self.meter.was_short_of_memory(),
        )
        self._exited.set_result(worker_exit)
        self._transport.abort()
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(WorkerDied(worker_exit))


def _checked_answer(request: Request, message: Any) -> Reply:
    """The message, where it can answer the request. Raises `ProtocolError`."""
    if isinstance(message, Failed):
        return message
    if not isinstance(message, ANSWERS[type(request)]):
        raise ProtocolError(f"a {type(request).__name__} was answered by a {type(message).__name__}")
    if isinstance(request, Predict) and len(request.queries) != len(message.predictions):
        raise ProtocolError(f"{len(message.predictions)} predictions for {len(request.queries)} queries")
    reply: Reply = message
    return reply
