"""Waiting for something at the other end of an HTTP API: the only way is to ask again, modestly."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from rafiki.client.errors import RafikiConnectionError
from rafiki.client.steps import Pause, Step, Steps

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Polling:
    """Asks at first every `first_s` seconds, then ever less often, down to every `longest_s`.

    While it waits, a server may be away for up to `outage_s` seconds: it may be starting again.
    A single call that may be repeated is tried again after each of `retry_after_s`, where nobody answers.
    Time is an argument, so that tests of what waits do not wait; what `sleep` returns is awaited by `AsyncClient`.
    """

    first_s: float = 0.2
    longest_s: float = 1.0
    growth: float = 1.2
    outage_s: float = 60.0
    retry_after_s: tuple[float, ...] = (0.1, 0.3, 0.9)
    sleep: Callable[[float], Any] = time.sleep
    now: Callable[[], float] = time.monotonic

    def pauses(self, timeout: float | None, what: str) -> Iterator[float]:
        """How long to wait before each next question; `TimeoutError`, saying `what`, after `timeout` seconds."""
        deadline = None if timeout is None else self.now() + timeout
        interval_s = self.first_s
        while True:
            left_s = interval_s if deadline is None else min(interval_s, deadline - self.now())
            if left_s <= 0:
                raise TimeoutError(f"waited {timeout:g} s, but {what}")
            yield left_s
            interval_s = min(interval_s * self.growth, self.longest_s)

    def until(
        self, ask: Callable[[], Steps[Answer | None]], timeout: float | None, what: str
    ) -> Generator[Step, Any, Answer]:
        """The first answer of `ask` that is not None; `TimeoutError`, saying `what`, after `timeout` seconds."""
        pauses = self.pauses(timeout, what)
        heard_at = self.now()
        while True:
            try:
                answer = yield from ask()
            except RafikiConnectionError as error:
                if not error.is_outage or self.now() - heard_at > self.outage_s:
                    raise
            else:
                if answer is not None:
                    return answer
                heard_at = self.now()
            yield Pause(next(pauses))
