"""Answers that read well where a person looks at them: in an interactive session, in a notebook, in a print.

They are a dict and a list like any other; only their `repr` differs.
"""

from __future__ import annotations

import json
from typing import Any

#: What tells one record from another in a list, in this order; their ids come last.
_COLUMNS = (
    "no", "attempt", "name", "email", "user_type", "app", "app_version", "version", "task", "model_name", "status",
    "score", "size_bytes", "predictor_host", "access_right", "title", "banned_date", "expires_at", "id",
)  # fmt: skip
_MAX_ROWS = 50
_MAX_VALUE = 100


class Record(dict[str, Any]):
    """A dict whose `repr` has a line per key."""

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{key:<{width}}  {_text(value)}" for key, value in self.items()) or "{}"


class Records(list[Record]):
    """A list whose `repr` is a table of what its records have in common."""

    def __repr__(self) -> str:
        columns = [column for column in _COLUMNS if any(column in record for record in self)]
        if not columns:
            return super().__repr__()
        shown = self[:_MAX_ROWS]
        rows = [columns, *([_text(record.get(column)) for column in columns] for record in shown)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(f"{value:<{width}}" for value, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        n_more = len(self) - len(shown)
        return "\n".join([*lines, f"... and {n_more} more"] if n_more else lines)


def readable(answer: Any) -> Any:
    """The same answer, as records where it is an object or a list of objects."""
    if isinstance(answer, dict):
        return Record(answer)
    if isinstance(answer, list) and answer and all(isinstance(one, dict) for one in answer):
        return Records(map(Record, answer))
    return answer


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split()) if text else '""'
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 3]}..."
