"""One request on its way through the ensemble."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rafiki.entities import Failure

#: A member's predictions for several queries: one row per query, or a list.
Predictions = Any


class Answer(NamedTuple):
    """Combined predictions in the queries' order, as plain data, and the indices of the members they come from."""

    predictions: list[Any]
    members: tuple[int, ...]


class Request:
    """Queries, and what the members made of them so far. It is closed once its future has a result."""

    __slots__ = ("closed", "expiry", "failures", "future", "queries", "submitted_at", "votes", "waiting")

    def __init__(self, queries: Sequence[Any], future: asyncio.Future[Answer], submitted_at: float) -> None:
        self.queries = queries
        self.future = future
        self.submitted_at = submitted_at
        self.waiting: set[int] = set()  # the members whose vote is still waited for
        self.votes: dict[int, Predictions] = {}
        self.failures: dict[int, Failure] = {}
        self.expiry: asyncio.TimerHandle | None = None
        self.closed = False


class Part:
    """A request as it stands in one member's queue. `n_sent` of its queries are answered or under way."""

    __slots__ = ("alone", "answered", "lost", "n_sent", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.n_sent = 0
        self.answered: list[Predictions] = []  # of the queries before `n_sent`, where one call did not take them all
        self.alone = False  # suspected of having killed the member: it gets a call of its own
        self.lost = False  # the member has failed on it

    @property
    def n_left(self) -> int:
        return len(self.request.queries) - self.n_sent

    @property
    def is_over(self) -> bool:
        """Nobody needs the rest of it."""
        return self.lost or self.request.closed


class Piece(NamedTuple):
    """The queries `start` to `stop` of a part, in one call to a worker."""

    part: Part
    start: int
    stop: int

    @property
    def request(self) -> Request:
        return self.part.request


def join(pieces: Sequence[Predictions]) -> Predictions:
    """Several runs of predictions as one; rows of the same width stay an array."""
    if len(pieces) == 1:
        return pieces[0]
    if all(isinstance(piece, np.ndarray) for piece in pieces):
        try:
            return np.concatenate(pieces)
        except ValueError:  # rows of different widths
            pass
    return [prediction for piece in pieces for prediction in piece]
