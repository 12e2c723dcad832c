"""What commands print: tables and sentences for people, JSON for programs. Rich is loaded when it is needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rafiki.client.steps import Row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: A table's titles, each with the key of what stands below it, or a function of the row.
Columns = Mapping[str, str | Callable[[Row], object]]

# Where nobody looks, nothing is broken into lines.
_UNBROKEN = 100_000


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def console(to_stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else _UNBROKEN)


def say(text: str, as_json: bool = False, to_stderr: bool = False) -> None:
    """A sentence, which programs are spared."""
    if not as_json:
        print(text, file=sys.stderr if to_stderr else sys.stdout)


def show_rows(rows: Sequence[Row], columns: Columns, as_json: bool, nothing: str = "None.", indent: str = "") -> None:
    """A table of `rows`, or the rows themselves as JSON. `nothing` is what is said where there are none."""
    if as_json:
        print_json(rows)
    elif not rows:
        print(nothing)
    else:
        print_table(_table(rows, columns), indent)


def print_table(table: Table, indent: str = "") -> None:
    if sys.stdout.isatty():
        from rich.padding import Padding

        console().print(Padding(table, (0, 0, 0, len(indent))))
        return
    unseen = console()
    with unseen.capture() as capture:
        unseen.print(table)
    for line in capture.get().splitlines():
        print(indent + line.rstrip())


def _table(rows: Sequence[Row], columns: Columns) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False, show_edge=False)
    for title in columns:
        made.add_column(title, overflow="fold")
    for row in rows:
        values = (row.get(column) if isinstance(column, str) else column(row) for column in columns.values())
        made.add_row(*(Text(text(value)) for value in values))
    return made


def show_row(row: Row, as_json: bool, leave_out: Sequence[str] = ()) -> None:
    """Each field of one thing on a line of its own, or the thing as JSON."""
    if as_json:
        print_json(row)
        return
    shown = {key: value for key, value in row.items() if key not in leave_out}
    width = max(map(len, shown), default=0)
    for key, value in shown.items():
        field = _field(key, value).replace("\n", "\n" + " " * (width + 2))
        print(f"{key:<{width}}  {field}")


def _field(key: str, value: Any) -> str:
    if key.startswith("datetime_") or key.endswith(("_date", "_at")):
        return time_text(value)
    if key.endswith("_bytes") and isinstance(value, int):
        return bytes_text(value) if value < 1024 else f"{value:,} bytes ({bytes_text(value)})"
    if key == "error":
        return failure_text(value)
    if key == "warnings" and value:
        return "\n".join(map(text, value))
    return text(value)


def text(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict | list | tuple | bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def time_text(value: str | None) -> str:
    """A time of the server's in this machine's time zone."""
    if not value:
        return "-"
    return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def time_of(key: str) -> Callable[[Row], str]:
    return lambda row: time_text(row.get(key))


def seconds_text(row: Row) -> str:
    """How long a trial or a job took."""
    started, stopped = row.get("datetime_started"), row.get("datetime_stopped")
    if not (started and stopped):
        return "-"
    return f"{(datetime.fromisoformat(stopped) - datetime.fromisoformat(started)).total_seconds():.1f}"


def bytes_text(n: int) -> str:
    size = float(n)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{n} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def failure_text(failure: Row | None) -> str:
    """Why something ended as it did."""
    if not failure:
        return "-"
    hint = f" ({failure['hint']})" if failure.get("hint") else ""
    return f"{failure.get('code', '')}: {failure.get('message', '')}{hint}".removeprefix(": ")


def knobs_text(trial: Row) -> str:
    return ", ".join(f"{name}={text(value)}" for name, value in trial["proposal"]["knobs"].items())
