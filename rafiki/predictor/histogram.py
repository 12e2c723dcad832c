"""How often which values occurred: what Prometheus makes quantiles of."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
QUERIES = (1, 2, 4, 8, 16, 32, 64)


class Histogram:
    """How many values were at most each bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        bounds = [*map(str, self._bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(map(float, self._counts)), strict=True))
        family.add_metric(labels, buckets, self._sum)


class BatchFigures:
    """Of one member's calls: queries in each, and how long they took."""

    def __init__(self) -> None:
        self.queries = Histogram(QUERIES)
        self.seconds = Histogram(SECONDS)

    def observe(self, n_queries: int, seconds: float) -> None:
        self.queries.observe(n_queries)
        self.seconds.observe(seconds)
