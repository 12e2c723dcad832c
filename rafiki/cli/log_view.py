"""How trials' logs read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rafiki.cli.output import text
from rafiki.client.steps import Row


class LogPrinter:
    """Prints a trial's log, and each time again only what is new in it."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._n_shown = {"messages": 0, "metrics": 0}

    def show(self, log: Row) -> None:
        for time, line in sorted(self._new_lines(log), key=lambda one: one[0]):
            clock = datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S") if time else "--:--:--"
            print(f"{self._prefix}{clock}  {line}", flush=True)

    def _new_lines(self, log: Row) -> Iterator[tuple[str, str]]:
        for entry in self._new(log, "messages"):
            yield entry.get("time") or "", str(entry["message"])
        for entry in self._new(log, "metrics"):
            numbers = (f"{name}={text(value)}" for name, value in entry.items() if name != "time")
            yield entry.get("time") or "", " ".join(numbers)

    def _new(self, log: Row, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = log[kind][self._n_shown[kind] :]
        self._n_shown[kind] += len(entries)
        return entries
