"""What waits for one member, and how it is cut into batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from rafiki.predictor.request import Part, Piece, Request


class Batcher:
    """A member's queue. Its next batch is whatever arrived while it was busy, in order, within a size.

    What was answered meanwhile, or failed on by its member, is passed over.
    """

    def __init__(self, max_queued: int) -> None:
        self._max_queued = max_queued
        self._parts: deque[Part] = deque()
        self._arrival = asyncio.Event()
        self.n_queued = 0  # queries

    def has_room(self, n_queries: int) -> bool:
        """A request larger than the whole bound is taken when nothing else waits."""
        return self.n_queued + n_queries <= self._max_queued or not self._parts

    def put(self, request: Request) -> None:
        self._parts.append(Part(request))
        self.n_queued += len(request.queries)
        self._arrival.set()

    def put_back(self, parts: Iterable[Part]) -> None:
        """To the front, in this order."""
        for part in reversed(list(parts)):
            self._parts.appendleft(part)
            self.n_queued += part.n_left

    def wake(self) -> None:
        """Let `wait` return although nothing arrived."""
        self._arrival.set()

    async def wait(self) -> None:
        """Return when there may be something to take."""
        if not self._parts:
            self._arrival.clear()
            await self._arrival.wait()

    def take(self, max_queries: int) -> list[Piece]:
        """The next batch; empty when nothing waits. Large requests are cut; a suspected one comes alone."""
        pieces: list[Piece] = []
        room = max_queries
        while self._parts and room:
            part = self._parts[0]
            if part.is_over:
                self._drop_first()
                continue
            if part.alone and pieces:
                break
            n_taken = min(room, part.n_left)
            pieces.append(Piece(part, part.n_sent, part.n_sent + n_taken))
            part.n_sent += n_taken
            self.n_queued -= n_taken
            room -= n_taken
            if not part.n_left:
                self._parts.popleft()
            if part.alone:
                break
        return pieces

    def _drop_first(self) -> None:
        self.n_queued -= self._parts.popleft().n_left

    def clear(self) -> list[Part]:
        """Everything that waits, taken out."""
        parts = [part for part in self._parts if not part.is_over]
        self._parts.clear()
        self.n_queued = 0
        return parts
