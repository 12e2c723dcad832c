"""Waiting for something at the other end of an HTTP API: the only way is to ask again, modestly."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


class Polling:
    """Asks at first every `first_s` seconds, then ever less often, down to every `longest_s`.

    Time is an argument, so that tests of what waits do not wait.
    """

    def __init__(
        self,
        first_s: float = 0.2,
        longest_s: float = 1.0,
        growth: float = 1.2,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._growth = growth
        self._sleep = sleep
        self._now = now

    def until(self, ask: Callable[[], Answer | None], timeout: float | None, what: str) -> Answer:
        """The first answer of `ask` that is not None; `TimeoutError`, saying `what`, after `timeout` seconds."""
        deadline = None if timeout is None else self._now() + timeout
        interval_s = self._first_s
        while True:
            answer = ask()
            if answer is not None:
                return answer
            left_s = interval_s if deadline is None else min(interval_s, deadline - self._now())
            if left_s <= 0:
                raise TimeoutError(f"waited {timeout:g} s, but {what}")
            self._sleep(left_s)
            interval_s = min(interval_s * self._growth, self._longest_s)
