"""The logger that templates use in `train` and `evaluate`, and what becomes of its entries.

An entry is one line of JSON, `{"type": "MESSAGE" | "METRICS" | "PLOT", "time": ISO 8601 in UTC, ...}`, with `message`;
`metrics` (numbers by name); or `title`, `metrics` (names) and `x_axis` (a name or null). Numbers that JSON has no form
for are the texts "NaN", "Infinity" and "-Infinity" there and in all that is read from it: `float` reads each of them.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, Union

import numpy as np

MESSAGE = "MESSAGE"
METRICS = "METRICS"
PLOT = "PLOT"

LogEntries = List[Dict[str, Any]]

_NON_FINITE = ("NaN", "Infinity", "-Infinity")
_MAX_JSON_INT = 2**63 - 1


class LoggerUtils:
    """Logs messages, metrics and plots. Outside the platform it prints them; inside, they reach the trial's log.

    It may be used from any thread; the entries of one thread stay in their order.
    """

    def __init__(self) -> None:
        self._sink: Optional[Callable[[str], None]] = None

    def set_sink(self, sink: Optional[Callable[[str], None]]) -> None:
        """Gives each entry's line to `sink` from now on, in the thread that logs; None prints readably again."""
        self._sink = sink

    def log(self, msg: Optional[str] = "", **metrics: float) -> None:
        """Logs a message and/or numbers at this moment.

        TypeError names a metric that is no number (NumPy scalars are); ValueError: `time` is no metric's name.
        """
        if "time" in metrics:
            raise ValueError("`time` is added to every entry and cannot be the name of a metric")
        numbers = {name: _json_number(_number(name, value)) for name, value in metrics.items()}
        time = _now()
        message = "" if msg is None else str(msg)
        if message:
            self._emit({"type": MESSAGE, "time": time, "message": message})
        if numbers:
            self._emit({"type": METRICS, "time": time, "metrics": numbers})

    def define_plot(self, title: str, metrics: List[str], x_axis: Optional[str] = None) -> None:
        """Defines a plot of `metrics` against the metric `x_axis`, or against time."""
        if not isinstance(title, str):
            raise TypeError(f"`title` must be a str, got {title!r}")
        if not isinstance(metrics, (list, tuple)) or not all(isinstance(name, str) for name in metrics):
            raise TypeError(f"`metrics` must be a list of names of metrics, got {metrics!r}")
        if not metrics:
            raise ValueError(f"`metrics` of the plot {title!r} must not be empty")
        if not isinstance(x_axis, (str, type(None))):
            raise TypeError(f"`x_axis` must be the name of a metric or None, got {x_axis!r}")
        self._emit({"type": PLOT, "time": _now(), "title": title, "metrics": list(metrics), "x_axis": x_axis})

    def define_loss_plot(self) -> None:
        """Defines the plot that `log_loss` draws."""
        self.define_plot("Loss Over Epochs", ["loss"], x_axis="epoch")

    def log_loss(self, loss: float, epoch: int) -> None:
        self.log(loss=loss, epoch=epoch)

    @staticmethod
    def parse_logs(lines: Iterable[Union[str, bytes]]) -> Tuple[LogEntries, LogEntries, LogEntries]:
        """`(messages, metrics, plots)` of a log's lines, each in order of logging.

        A message is `{time, message}`, metrics are `{time, name: number, ...}`, a plot is `{title, metrics, x_axis}`.
        A line that is no entry, whoever wrote it, is a message whose `time` is None.
        """
        messages: LogEntries = []
        metrics: LogEntries = []
        plots: LogEntries = []
        for line in lines:
            text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
            try:
                entry = json.loads(text, parse_constant=str)
                if entry["type"] == METRICS:
                    time = {"time": _text(entry["time"])}
                    metrics.append({**time, **_parsed_metrics(entry["metrics"]), **time})
                elif entry["type"] == PLOT:
                    plots.append(_parsed_plot(entry))
                else:
                    messages.append({"time": _text(entry["time"]), "message": _text(entry["message"])})
            # All that a line which is no entry can raise on the way.
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                if text.strip():
                    messages.append({"time": None, "message": _text(text.rstrip("\n"))})
        return messages, metrics, plots

    def _emit(self, entry: Dict[str, Any]) -> None:
        sink = self._sink
        if sink is not None:
            sink(json.dumps(entry, allow_nan=False))
            return
        text = _readable(entry)
        try:
            print(text)
        except UnicodeEncodeError:  # a terminal that has not all characters must not end a training
            print(text.encode("ascii", "backslashreplace").decode("ascii"))


def message_line(message: str) -> str:
    """The line of a message that came not from the logger: a `print`, a record of `logging`."""
    return json.dumps({"type": MESSAGE, "time": _now(), "message": message})


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _number(name: str, value: Any) -> Union[int, float]:
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, np.timedelta64):  # NumPy counts it among its integers
        raise TypeError(f"metric {name!r} must be a number, got {value!r}")
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    raise TypeError(f"metric {name!r} must be a number, got {value!r} ({type(value).__name__})")


def _json_number(number: Union[int, float]) -> Union[int, float, str]:
    """`number` in a form that every reader of JSON takes; an int beyond 64 bits becomes a float."""
    if isinstance(number, int):
        if abs(number) <= _MAX_JSON_INT:
            return number
        try:
            number = float(number)
        except OverflowError:
            number = math.inf if number > 0 else -math.inf
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _readable(entry: Dict[str, Any]) -> str:
    clock = datetime.now().strftime("%H:%M:%S")
    if entry["type"] == MESSAGE:
        return f"{clock} {entry['message']}"
    if entry["type"] == PLOT:
        return f"{clock} plot {entry['title']!r}: {', '.join(entry['metrics'])} over {entry['x_axis'] or 'time'}"
    numbers = (
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in entry["metrics"].items()
    )
    return f"{clock} {', '.join(numbers)}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value.encode("utf-8", "replace").decode()  # JSON can spell lone surrogates, which no answer could hold


def _parsed_metrics(metrics: Any) -> Dict[str, Any]:
    parsed = {}
    for name, value in metrics.items():
        is_non_finite = isinstance(value, str) and value in _NON_FINITE
        parsed[_text(name)] = value if is_non_finite else _json_number(_number(name, value))
    return parsed


def _parsed_plot(entry: Dict[str, Any]) -> Dict[str, Any]:
    x_axis = entry["x_axis"]
    metrics = [_text(name) for name in entry["metrics"]]
    return {"title": _text(entry["title"]), "metrics": metrics, "x_axis": None if x_axis is None else _text(x_axis)}
