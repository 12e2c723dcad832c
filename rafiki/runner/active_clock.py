"""The clock of a train job's time budget: it runs only while the job has work on a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ActiveClock:
    """Counts seconds in which at least one trial was running, on top of what earlier runners of the job counted."""

    def __init__(self, counted_s: float, limit_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._counted_s = counted_s
        self._limit_s = limit_s
        self._now = now
        self._n_running = 0
        self._since = 0.0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """While a trial runs on a worker; any number of them at a time."""
        if self._n_running == 0:
            self._since = self._now()
        self._n_running += 1
        try:
            yield
        finally:
            self._n_running -= 1
            if self._n_running == 0:
                self._counted_s += self._now() - self._since

    @property
    def elapsed_s(self) -> float:
        return self._counted_s + (self._now() - self._since if self._n_running else 0.0)

    @property
    def remaining_s(self) -> float:
        return max(0.0, self._limit_s - self.elapsed_s)

    @property
    def is_over(self) -> bool:
        return self.elapsed_s >= self._limit_s

    def progress(self) -> float:
        """The used share of the budget, 0 to 1."""
        return min(1.0, self.elapsed_s / self._limit_s)
