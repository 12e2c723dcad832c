"""What local development prints."""

from __future__ import annotations

import json
import logging
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rafiki.model import Knobs

_MAX_SHOWN = 100


def section(title: str) -> None:
    print(f"\n=== {title} ===", flush=True)


def note(text: str) -> None:
    print(text, flush=True)


def warning(text: str) -> None:
    print(f"Warning: {text}", flush=True)


def advice(text: str) -> None:
    print(f"Advice: {text}", flush=True)


def as_arguments(knobs: Knobs) -> str:
    """Knobs as the command line that fixes them."""
    return " ".join(shlex.quote(f"--{name}={value}") for name, value in knobs.items())


def shown(prediction: Any) -> str:
    """A prediction on one line: its numbers to four digits, cut where it is long."""
    text = json.dumps(_rounded(prediction), ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def seconds(duration_s: float) -> str:
    """` (1.2 s)`; nothing for what took no time."""
    return f" ({duration_s:.1f} s)" if duration_s >= 0.05 else ""


class Checklist:
    """What has been checked, and how long it took: the time since the check before, unless it is given."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._lines: list[str] = []

    def ok(self, what: str, duration_s: float | None = None) -> None:
        now = time.monotonic()
        self._lines.append(f"[ok] {what}{seconds(now - self._last if duration_s is None else duration_s)}")
        self._last = now

    def left_out(self, what: str) -> None:
        self._lines.append(f"[--] {what}")

    def show(self) -> None:
        section(f"Checked in {time.monotonic() - self._started:.1f} s")
        for line in self._lines:
            note(line)


@contextmanager
def without_tracebacks() -> Iterator[None]:
    """Within, what a trial's log would have of a failure is not printed: its author is told otherwise."""

    def is_wanted(record: logging.LogRecord) -> bool:
        return not getattr(record, "is_traceback_of_failure", False)

    logger = logging.getLogger("rafiki.worker")
    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)
