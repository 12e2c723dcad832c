"""The ensemble: every query to every member that can answer, one deadline, and one answer from their votes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from rafiki.entities import Failure, FailureCode
from rafiki.errors import ServiceUnavailableError
from rafiki.predictor.member import Member, MemberPlan, MemberState
from rafiki.predictor.policy import ServingPolicy
from rafiki.predictor.request import Answer, Predictions, Request, join
from rafiki.tasks import Task, to_json_value

logger = logging.getLogger("rafiki.predictor")


class OverloadedError(ServiceUnavailableError):
    """More is waiting than the policy allows: the same request may do well a moment later."""


class Ensemble:
    """Members, best first.

    - A member that fails, dies or misses the deadline costs its vote; the others' votes are the answer.
    - One that missed a deadline is asked, but not waited for, until it has answered in half the time again.
    - `ServiceUnavailableError` where no member can answer, naming each one's reason.
    """

    def __init__(self, task: Task, plans: Sequence[MemberPlan], policy: ServingPolicy) -> None:
        self._task = task
        self._policy = policy
        self._outcomes: list[asyncio.Future[bool]] = []
        self.members = [Member(index, plan, policy) for index, plan in enumerate(plans)]

    async def open(self) -> bool:
        """Start all members. Returns when the first one is ready: True; or when none could be started: False."""
        self._outcomes = [member.open(self) for member in self.members]
        pending = set(self._outcomes)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if any(outcome.result() for outcome in done):
                return True
        return False

    async def settled(self) -> None:
        """Wait until each member is ready, or could not be started at its first attempt."""
        if self._outcomes:
            await asyncio.wait(self._outcomes)

    async def close(self) -> None:
        await asyncio.gather(*(member.close() for member in self.members))

    def failures(self) -> str:
        """Each member's latest failure, in words."""
        reasons = [f"{member.name}: {member.failure.message}" for member in self.members if member.failure]
        return " ".join(dict.fromkeys(reasons)) or "none is ready yet."

    # A request --------------------------------------------------------------------------------------------------------

    def predict(self, queries: Sequence[Any]) -> asyncio.Future[Answer]:
        """The answer to at least one query, each as a template gets it. Raises `ServiceUnavailableError`, at once or
        through the future.
        """
        return self.submit(queries).future

    def submit(self, queries: Sequence[Any]) -> Request:
        """`predict` for who wants to see the votes, too: they are there once the request's future has a result."""
        loop = asyncio.get_running_loop()
        asked = self._choose(len(queries))
        request = Request(queries, loop.create_future(), loop.time())
        request.waiting = {member.index for member in asked if not member.is_late}
        if not request.waiting:
            request.waiting = {member.index for member in asked}
        for member in asked:
            member.queue.put(request)
        request.expiry = loop.call_later(self._policy.time_limit_s, self._expire, request)
        return request

    def _choose(self, n_queries: int) -> list[Member]:
        """The ready ones; else those that are about to be."""
        able = [member for member in self.members if member.state is MemberState.READY]
        able = able or [member for member in self.members if member.state is MemberState.STARTING]
        asked = [member for member in able if member.queue.has_room(n_queries)]
        if not able:
            raise ServiceUnavailableError(f"No member can answer. {self.failures()}")
        if not asked:
            raise OverloadedError(f"More than {self._policy.max_queued} queries are waiting. Try again later.")
        return asked

    def _expire(self, request: Request) -> None:
        limit_s = self._policy.time_limit_s
        failure = Failure(FailureCode.TIME_LIMIT, f"It did not answer within {limit_s:g} s.")
        for member in self.members:
            if member.index in request.waiting:
                member.is_late = True
                request.failures[member.index] = failure
        self._finish([request])

    # What members make of it ------------------------------------------------------------------------------------------

    def give(self, member: Member, votes: Sequence[tuple[Request, Predictions]]) -> None:
        if member.is_late:
            limit = asyncio.get_running_loop().time() - self._policy.time_limit_s / 2
            member.is_late = all(request.submitted_at < limit for request, _ in votes)
        finished = []
        for request, predictions in votes:
            if not request.closed:
                request.votes[member.index] = predictions
                request.waiting.discard(member.index)
                if not request.waiting:
                    finished.append(request)
        self._finish(finished)

    def lose(self, member: Member, requests: Sequence[Request], failure: Failure) -> None:
        finished = []
        for request in requests:
            if not request.closed:
                request.failures[member.index] = failure
                request.waiting.discard(member.index)
                if not request.waiting:
                    finished.append(request)
        self._finish(finished)

    def is_last_hope(self, member: Member, request: Request) -> bool:
        return not request.votes and request.waiting <= {member.index}

    # The answer -------------------------------------------------------------------------------------------------------

    def _finish(self, requests: Sequence[Request]) -> None:
        """Close these requests, with their votes' combination or the reasons why there are none."""
        by_voters: dict[tuple[int, ...], list[Request]] = {}
        for request in requests:
            request.closed = True
            if request.expiry is not None:
                request.expiry.cancel()
            by_voters.setdefault(tuple(sorted(request.votes)), []).append(request)
        for voters, group in by_voters.items():
            if voters:
                self._answer(group, voters)
            else:
                for request in group:
                    _resolve(request, self._no_votes(request))

    def _no_votes(self, request: Request) -> ServiceUnavailableError:
        reasons = [f"{self.members[index].name}: {failure.message}" for index, failure in request.failures.items()]
        return ServiceUnavailableError(f"No member could answer. {' '.join(dict.fromkeys(reasons))}".rstrip())

    def _answer(self, requests: Sequence[Request], voters: tuple[int, ...]) -> None:
        """Combine the votes of requests that the same members have answered, all in one go."""
        try:
            columns = [join([request.votes[index] for request in requests]) for index in voters]
            combined = self._task.combine_batch(columns)
        except Exception as error:  # noqa: BLE001 (of users' making; what one request got must not cost another)
            if len(requests) > 1:
                for request in requests:
                    self._answer([request], voters)
                return
            logger.warning("votes that cannot be combined, the best member answers: %r", error)
            voters = voters[:1]
            combined = to_json_value(requests[0].votes[voters[0]])
        at = 0
        for request in requests:
            n_queries = len(request.queries)
            _resolve(request, Answer(combined[at : at + n_queries], voters))
            at += n_queries


def _resolve(request: Request, result: Answer | ServiceUnavailableError) -> None:
    if request.future.done():  # nobody waits any more
        return
    if isinstance(result, Answer):
        request.future.set_result(result)
    else:
        request.future.set_exception(result)
