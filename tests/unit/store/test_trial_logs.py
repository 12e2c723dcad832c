"""How log lines become chunks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from rafiki.settings import Settings
from rafiki.store import Store
from rafiki.store.schema import trial_log_chunks
from rafiki.store.trial_logs import MAX_CHUNK_BYTES, MAX_LINE_BYTES


class Log:
    def __init__(self, store: Store) -> None:
        user = store.users.create("a@b", "hash", "ADMIN")
        dataset = store.catalog.create_dataset(user.id, "d", "T", "0" * 64, 7)
        model = store.catalog.create_model(user.id, "m", "T", "C", {}, "PRIVATE", None, "0" * 64)
        job = store.train_jobs.create(user.id, "app", "T", dataset.id, dataset.id, {}, None, [model.id], 1)
        self._trial_id = store.trials.start(job.id, 0, model.id, 1, 1, "w", {}).id
        self._store = store

    def append(self, *lines: str) -> None:
        self._store.trials.append_log(self._trial_id, lines)

    def lines(self) -> list[str]:
        return self._store.trials.read_log_lines(self._trial_id)

    def chunks(self) -> list[tuple[int, int, dict[str, list[float]] | None]]:
        """Bytes, lines and extremes of each."""
        columns = trial_log_chunks.c
        with self._store._db.read() as c:
            rows = c.execute(select(columns.lines, columns.n_lines, columns.metrics).order_by(columns.seq))
            return [(len(lines.encode()), n_lines, metrics) for lines, n_lines, metrics in rows]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(Store.open(Settings(data_dir=tmp_path, cores=1, gpus=0)))


def metrics_line(**metrics: float | str | None) -> str:
    return json.dumps({"type": "METRICS", "time": "2026-01-01T00:00:00+00:00", "metrics": metrics})


def test_no_chunk_is_larger_than_its_limit(log: Log) -> None:
    lines = [f"{i} " + "ü" * 500 for i in range(1000)]
    log.append(*lines)
    assert log.lines() == lines
    sizes = [size for size, _, _ in log.chunks()]
    assert len(sizes) > 10
    assert max(sizes) <= MAX_CHUNK_BYTES
    assert min(sizes[:-1]) > MAX_CHUNK_BYTES - 1100
    assert sum(n_lines for _, n_lines, _ in log.chunks()) == 1000


def test_a_long_line_is_whole_and_alone(log: Log) -> None:
    long = "x" * MAX_LINE_BYTES
    log.append("before", long, "after")
    assert log.lines() == ["before", long, "after"]
    assert [n_lines for _, n_lines, _ in log.chunks()] == [1, 1, 1]


def test_of_a_longer_line_the_beginning_is_kept_and_it_says_so(log: Log) -> None:
    log.append("ü" * MAX_LINE_BYTES)
    [line] = log.lines()
    entry = json.loads(line)
    assert entry["type"] == "MESSAGE"
    assert entry["message"].startswith("üüü")
    assert f"{2 * MAX_LINE_BYTES} bytes" in entry["message"]
    assert len(entry["message"]) < MAX_CHUNK_BYTES


def test_each_chunk_has_the_extremes_of_its_metrics(log: Log) -> None:
    log.append(metrics_line(loss=0.5, epoch=1), "text", metrics_line(loss=-2, acc=0.1), metrics_line(loss=3.5))
    log.append(metrics_line(loss=9))
    log.append('{"type": "MESSAGE", "message": "no metrics"}')
    assert [metrics for _, _, metrics in log.chunks()] == [
        {"loss": [-2, 3.5], "epoch": [1, 1], "acc": [0.1, 0.1]},
        {"loss": [9, 9]},
        None,
    ]


def test_what_is_no_number_has_no_extremes(log: Log) -> None:
    log.append(metrics_line(a="NaN", b=None, c=float("inf"), d=float("nan"), e=True))
    log.append('{"type": "METRICS", "metrics": [1]}', '["METRICS"]', '{"METRICS"', '"METRICS" ' + "[" * 100_000)
    assert [metrics for _, _, metrics in log.chunks()] == [None] * len(log.chunks())


def test_forged_lines_stay_single_lines(log: Log) -> None:
    log.append("a\nb", "half a \ud83d pair", "", "nul \0")
    assert log.lines() == ["a b", "half a ? pair", "", "nul \0"]
