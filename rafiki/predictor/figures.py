"""Figures of a predictor, in the form that Prometheus collects.

What a request costs here is a handful of additions; everything else happens when the figures are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from rafiki.predictor.ensemble import Ensemble
    from rafiki.predictor.member import Member

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
QUERIES = (1, 2, 4, 8, 16, 32, 64)

_MEMBER_LABELS = ("member", "model")


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


class RequestFigures:
    """Of requests to predict: their answers' statuses, their queries, and how long answers took."""

    def __init__(self) -> None:
        self.by_status: Counter[int] = Counter()
        self.n_queries = 0
        self.n_open = 0
        self.seconds = Histogram(SECONDS)


class Figures(Collector):
    """All figures of a predictor. `text` is what `GET /metrics` answers."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.requests = RequestFigures()
        self._ensemble = ensemble
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        return ()  # else the registry would collect once to find out

    def collect(self) -> Iterator[Metric]:
        yield from self._of_requests()
        yield from self._of_members(self._ensemble.members)

    def _of_requests(self) -> Iterator[Metric]:
        requests = self.requests
        answered = CounterMetricFamily("rafiki_predictor_requests", "Requests to predict, by status", labels=["status"])
        for status, n in sorted(requests.by_status.items()):
            answered.add_metric([str(status)], n)
        yield answered
        yield CounterMetricFamily("rafiki_predictor_queries", "Queries that were answered", requests.n_queries)
        yield GaugeMetricFamily("rafiki_predictor_open_requests", "Requests that wait for an answer", requests.n_open)
        seconds = HistogramMetricFamily("rafiki_predictor_request_seconds", "From a request's body to its answer")
        requests.seconds.add_to(seconds, ())
        yield seconds

    def _of_members(self, members: Sequence[Member]) -> Iterator[Metric]:
        ready = GaugeMetricFamily("rafiki_predictor_member_ready", "1: the member can answer", labels=_MEMBER_LABELS)
        queued = GaugeMetricFamily("rafiki_predictor_member_queued", "Queries that wait for it", labels=_MEMBER_LABELS)
        answered = CounterMetricFamily("rafiki_predictor_member_queries", "Queries it answered", labels=_MEMBER_LABELS)
        restarts = CounterMetricFamily("rafiki_predictor_member_restarts", "Its restarts", labels=_MEMBER_LABELS)
        sizes = HistogramMetricFamily("rafiki_predictor_batch_queries", "Queries per call", labels=_MEMBER_LABELS)
        seconds = HistogramMetricFamily("rafiki_predictor_batch_seconds", "How long calls took", labels=_MEMBER_LABELS)
        for member in members:
            labels = (str(member.index), member.name)
            ready.add_metric(labels, float(member.ready.is_set()))
            queued.add_metric(labels, member.queue.n_queued)
            answered.add_metric(labels, member.n_answered)
            restarts.add_metric(labels, member.n_restarts)
            member.batches.queries.add_to(sizes, labels)
            member.batches.seconds.add_to(seconds, labels)
        yield from (ready, queued, answered, restarts, sizes, seconds)
