"""Figures of a predictor, in the form that Prometheus collects.

What a request costs here is a handful of additions; everything else happens when the figures are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from rafiki.predictor.ensemble import Ensemble
from rafiki.predictor.histogram import SECONDS, Histogram
from rafiki.predictor.member import Member

CONTENT_TYPE = CONTENT_TYPE_LATEST

_MEMBER_LABELS = ("member", "model")


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
