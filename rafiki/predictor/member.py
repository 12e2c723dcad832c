"""One member of an ensemble: a worker process that has loaded a trial, kept alive, and fed in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from rafiki.entities import Failure, FailureCode
from rafiki.errors import RafikiError
from rafiki.executor import CallFailed, Worker, WorkerDied
from rafiki.predictor.batcher import Batcher
from rafiki.predictor.histogram import BatchFigures
from rafiki.predictor.policy import ServingPolicy
from rafiki.predictor.request import Part, Piece, Predictions, Request, join
from rafiki.worker.frames import Load, Predict, Predicted

logger = logging.getLogger("rafiki.predictor")


class MemberState(Enum):
    STARTING = "starting"  # about to be ready, as far as is known
    READY = "ready"
    DOWN = "down"  # it could not be started; it is tried again


class Votes(Protocol):
    """Where a member's votes go: the ensemble."""

    def give(self, member: Member, votes: Sequence[tuple[Request, Predictions]]) -> None: ...

    def lose(self, member: Member, requests: Sequence[Request], failure: Failure) -> None: ...

    def is_last_hope(self, member: Member, request: Request) -> bool:
        """No other member has answered the request or still may."""
        ...


@dataclass(frozen=True)
class MemberPlan:
    """What a member is made of. `start` gives a started worker of its model's template, in its environment."""

    name: str  # the model's
    trial_id: str
    load: Load
    start: Callable[[], Awaitable[Worker]]


class Member:
    """Runs until it is closed: starts and loads its worker, answers, and starts another one when that one dies.

    A call that fails for several requests together is repeated for each of them by itself: a query that a template
    cannot take costs its own request this member's vote, nobody else's. When the worker dies, requests that have
    nobody else to ask wait for the next one, those that were with it one by one, and each only once more.
    """

    def __init__(self, index: int, plan: MemberPlan, policy: ServingPolicy) -> None:
        self.index = index
        self.plan = plan
        self.state = MemberState.STARTING
        self.ready = asyncio.Event()  # set while its state is READY
        self.failure: Failure | None = None  # the latest one
        self.is_late = False  # it missed a deadline: it is still asked, but not waited for
        self.n_answered = 0  # queries
        self.n_restarts = 0
        self.queue = Batcher(policy.max_queued)
        self.batches = BatchFigures()
        self._policy = policy
        self.in_flight: list[Piece] = []  # in the call under way
        self._query_s = 0.0  # what a query took in the latest batches
        self._n_failures = 0  # in a row
        self._worker: Worker | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker is not None else None

    def describe(self) -> dict[str, Any]:
        """Its state and counters, as plain data."""
        return {
            "name": self.name,
            "trial_id": self.plan.trial_id,
            "state": self.state.value,
            "pid": self.pid,
            "is_late": self.is_late,
            "n_queued": self.queue.n_queued,
            "n_answered": self.n_answered,
            "n_restarts": self.n_restarts,
            "failure": self.failure.to_json() if self.failure else None,
        }

    def open(self, votes: Votes) -> asyncio.Future[bool]:
        """Begin. The future tells whether the first attempt to start it made it ready."""
        self._votes = votes
        self._first_outcome = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run(), name=f"member {self.index} ({self.name})")
        self._running.add_done_callback(self._note_end)
        return self._first_outcome

    def _note_end(self, running: asyncio.Task[None]) -> None:
        """It runs until it is cancelled; a fault of ours must not look like a member that is just about to be ready."""
        if not running.cancelled() and (error := running.exception()) is not None:
            logger.error("member %d (%s) is given up", self.index, self.name, exc_info=error)
            self._set_down(Failure(FailureCode.INTERNAL, f"It was given up: {error!r}"))

    async def close(self) -> None:
        """End the worker; what still waits for it is lost."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        parts = [piece.part for piece in self.in_flight] + self.queue.clear()
        self._lose(parts, Failure(FailureCode.INTERRUPTED, "The predictor is stopping."))
        if self._worker is not None:
            await self._worker.stop(self._policy.stop_grace_s)

    # Life -------------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started_at = loop.time()
            try:
                self._worker = worker = await self._start()
            except _CannotStart as error:
                self._n_failures += 1
                self._set_down(error.failure)
            else:
                self._set_ready()
                failure = await self._serve(worker)
                worker.kill()
                is_stable = loop.time() - started_at >= self._policy.stable_s
                self._n_failures = 1 if is_stable else self._n_failures + 1
                self._set_dead(failure)
            self.n_restarts += 1
            await asyncio.sleep(self._policy.restart_delay_s(self._n_failures))

    async def _start(self) -> Worker:
        """A worker that has loaded the trial. Raises `_CannotStart`."""
        limit_s = self._policy.load_time_limit_s
        try:
            worker = await self.plan.start()
        except RafikiError as error:  # its environment cannot be had
            raise _CannotStart(Failure(FailureCode.MISSING_DEPENDENCY, error.message, error.hint)) from error
        except OSError as error:
            raise _CannotStart(Failure(FailureCode.INTERNAL, f"Its worker cannot be started: {error}")) from error
        try:
            await worker.call(self.plan.load, timeout_s=limit_s)
        except BaseException as error:
            worker.kill()
            if isinstance(error, CallFailed):
                raise _CannotStart(error.failure) from error
            if isinstance(error, WorkerDied):
                raise _CannotStart(error.failure()) from error
            if isinstance(error, TimeoutError):
                hint = "A larger RAFIKI_MEMBER_LOAD_TIME_LIMIT_S gives it more time."
                failure = Failure(FailureCode.TIME_LIMIT, f"It did not load within {limit_s:g} s.", hint)
                raise _CannotStart(failure) from error
            raise
        return worker

    def _set_ready(self) -> None:
        logger.info("member %d (%s) is ready", self.index, self.name)
        self.state = MemberState.READY
        self.ready.set()
        if not self._first_outcome.done():
            self._first_outcome.set_result(True)

    def _set_down(self, failure: Failure) -> None:
        logger.warning("member %d (%s) cannot be started: %s", self.index, self.name, failure.message)
        self.state = MemberState.DOWN
        self.failure = failure
        self._lose(self.queue.clear(), failure)
        if not self._first_outcome.done():
            self._first_outcome.set_result(False)

    def _set_dead(self, failure: Failure) -> None:
        """Its worker has ended while it was ready. What has nobody else to ask waits for the next one."""
        logger.warning("member %d (%s) ended: %s", self.index, self.name, failure.message)
        self.state = MemberState.STARTING
        self.ready.clear()
        self.failure = failure
        kept: list[Part] = []
        lost: list[Part] = []
        under_way = {id(piece.part) for piece in self.in_flight}
        for part in self.queue.clear():
            if id(part) not in under_way:  # (the rest of a large one may be in the queue still)
                (kept if self._votes.is_last_hope(self, part.request) else lost).append(part)
        for part, start, _ in reversed(self.in_flight):
            if part.alone or not self._votes.is_last_hope(self, part.request):
                lost.append(part)
            else:
                part.alone = True
                part.n_sent = start
                kept.insert(0, part)
        self.in_flight = []
        self.queue.put_back(kept)
        self._lose(lost, failure)

    def _lose(self, parts: Sequence[Part], failure: Failure) -> None:
        for part in parts:
            part.lost = True
        self._votes.lose(self, [part.request for part in parts], failure)

    # Work -------------------------------------------------------------------------------------------------------------

    async def _serve(self, worker: Worker) -> Failure:
        """Answer what comes, until the worker has ended or is hung. Says why."""
        exited = worker.exited
        exited.add_done_callback(lambda _: self.queue.wake())
        try:
            while not exited.done():
                await self.queue.wait()
                self.in_flight = self.queue.take(self._policy.batch_limit(self._query_s))
                if self.in_flight:
                    await self._answer(worker, self.in_flight)
                    self.in_flight = []
            return exited.result().failure()
        except WorkerDied as error:
            return error.failure()
        except TimeoutError:
            self.is_late = True
            return Failure(
                FailureCode.TIME_LIMIT,
                f"It did not answer within {self._policy.time_limit_s:g} s.",
                "A larger RAFIKI_PREDICT_TIME_LIMIT_S gives it more time.",
            )

    async def _answer(self, worker: Worker, pieces: list[Piece]) -> None:
        predictions = await self._call(worker, pieces)
        if not isinstance(predictions, Failure):
            self._give(pieces, predictions)
        elif len(pieces) == 1:
            self.failure = predictions
            self._lose([pieces[0].part], predictions)
        else:
            for i, piece in enumerate(pieces):
                self.in_flight = pieces[i:]
                if not piece.part.is_over:
                    await self._answer(worker, [piece])

    async def _call(self, worker: Worker, pieces: list[Piece]) -> Predictions | Failure:
        if len(pieces) == 1 and pieces[0].stop - pieces[0].start == len(pieces[0].request.queries):
            queries: Sequence[Any] = pieces[0].request.queries
        else:
            queries = [query for piece in pieces for query in piece.request.queries[piece.start : piece.stop]]
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        try:
            reply = await worker.call(Predict(queries), timeout_s=self._policy.time_limit_s)
        except CallFailed as error:
            return error.failure
        except (TypeError, ValueError) as error:  # larger than what a worker takes
            return Failure(FailureCode.PROTOCOL, f"The queries cannot be sent to its worker: {error}")
        assert isinstance(reply, Predicted)
        took_s = loop.time() - started_at
        self._query_s = (self._query_s + took_s / len(queries)) / 2
        self.batches.observe(len(queries), took_s)
        return reply.predictions

    def _give(self, pieces: list[Piece], predictions: Predictions) -> None:
        votes: list[tuple[Request, Predictions]] = []
        at = 0
        for part, start, stop in pieces:
            answered = predictions[at : at + stop - start]
            at += stop - start
            if stop - start < len(part.request.queries):
                part.answered.append(answered)
                if stop < len(part.request.queries):
                    continue
                answered = join(part.answered)
            votes.append((part.request, answered))
        self.n_answered += at
        self._votes.give(self, votes)


class _CannotStart(Exception):  # noqa: N818 (it is no error of ours, it is what became of the member)
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
