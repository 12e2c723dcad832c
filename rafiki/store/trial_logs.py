"""Trials' logs: append-only chunks of lines, each with the extremes of its metrics.

The extremes let a curve of a million points be drawn without reading them all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import insert, select

from rafiki.store.database import Database
from rafiki.store.schema import trial_log_chunks

MAX_CHUNK_BYTES = 64 * 1024
#: A line over a chunk's size has a chunk for itself, up to this; of a longer one the beginning is kept, as a message.
MAX_LINE_BYTES = 1024 * 1024

_INSERT = insert(trial_log_chunks)


class TrialLogs:
    """A line is one JSON object, as `rafiki.model.log` makes them; what else comes is kept as it is."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def append_log(self, trial_id: str, lines: Sequence[str]) -> None:
        """Durable with the next acknowledged write. Best called with what a second, or 64 KB, has brought."""
        chunks = [
            {
                "trial_id": trial_id,
                "lines": "\n".join(chunk),
                "n_lines": len(chunk),
                "metrics": _extremes(chunk) or None,
            }
            for chunk in _chunks(lines)
        ]
        if chunks:
            with self._db.write(durable=False) as c:
                c.execute(_INSERT, chunks)

    def read_log_lines(self, trial_id: str) -> list[str]:
        """All, in order of logging."""
        columns = trial_log_chunks.c
        query = select(columns.lines).where(columns.trial_id == trial_id).order_by(columns.seq)
        with self._db.read() as c:
            return [line for chunk in c.execute(query).scalars() for line in chunk.split("\n")]


def _chunks(lines: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    n_bytes = 0
    for line in lines:
        kept = _as_one_line(line)
        size = len(kept.encode()) + 1
        if chunk and n_bytes + size > MAX_CHUNK_BYTES:
            yield chunk
            chunk, n_bytes = [], 0
        chunk.append(kept)
        n_bytes += size
    if chunk:
        yield chunk


def _as_one_line(line: str) -> str:
    # In JSON a line break between tokens is a blank; elsewhere it cannot stand.
    line = line.replace("\n", " ")
    # Half a surrogate pair is no text that a database takes.
    data = line.encode(errors="replace")
    if len(data) <= MAX_LINE_BYTES:
        return data.decode()
    beginning = data[:MAX_CHUNK_BYTES].decode(errors="ignore")
    message = f"{beginning} ... (a log line of {len(data)} bytes, cut: at most {MAX_LINE_BYTES} are kept)"
    return json.dumps({"type": "MESSAGE", "time": datetime.now(UTC).isoformat(), "message": message})


def _extremes(lines: Sequence[str]) -> dict[str, list[float]]:
    """`{metric: [minimum, maximum]}` of the finite values."""
    extremes: dict[str, list[float]] = {}
    for line in lines:
        if '"METRICS"' not in line:
            continue
        for name, value in _metrics(line):
            if name in extremes:
                low, high = extremes[name]
                extremes[name] = [min(low, value), max(high, value)]
            else:
                extremes[name] = [value, value]
    return extremes


def _metrics(line: str) -> Iterator[tuple[str, float]]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):  # not ours; kept as it is
        return
    metrics = entry.get("metrics") if isinstance(entry, dict) and entry.get("type") == "METRICS" else None
    if not isinstance(metrics, dict):
        return
    for name, value in metrics.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and float("-inf") < value < float("inf"):
            yield name, value
