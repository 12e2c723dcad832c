"""How values read on a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

STATUS_COLORS = {
    "STARTED": "blue-grey",
    "PENDING": "blue-grey",
    "RUNNING": "blue",
    "STOPPED": "green",
    "COMPLETED": "green",
    "PRUNED": "grey",
    "ERRORED": "red",
}


def parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def local_time(text: str | None) -> str:
    """An ISO 8601 time of the API, as date and time of day in UTC."""
    time = parse_time(text)
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if time else ""


def duration(started: str | None, stopped: str | None, now: datetime) -> str:
    """From start to stop (or now): `4.2 s`, `3 min 12 s`, `2 h 5 min`."""
    begin = parse_time(started)
    if begin is None:
        return ""
    seconds = max(0.0, ((parse_time(stopped) or now) - begin).total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def knobs(proposal: dict[str, Any] | None) -> str:
    """The knobs of a proposal in one line, floats at four digits."""

    def text(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name} = {text(value)}" for name, value in ((proposal or {}).get("knobs") or {}).items())


def reason(error: dict[str, str] | None) -> str:
    """A job's or trial's error as one text."""
    if not error:
        return ""
    return " ".join(part for part in (error.get("message", ""), error.get("hint", "")) if part)
