"""Charts as ECharts options: plain data, made of what the client answers."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

Option = dict[str, Any]
Row = dict[str, Any]

_COMMON: Option = {"animation": False, "grid": {"left": 55, "right": 20, "top": 40, "bottom": 45}}
_AXIS_NAME: Option = {"nameLocation": "middle", "nameGap": 28}


def scores(trials: list[Row]) -> Option:
    """The score of every completed trial in order of start: a dot per trial, a colour per model, the best so far."""
    done = sorted(
        (trial for trial in trials if trial["status"] == "COMPLETED" and trial["score"] is not None),
        key=lambda trial: trial["datetime_started"],
    )
    series: list[Option] = []
    for model in dict.fromkeys(trial["model_name"] for trial in done):
        points = [[place, trial["score"]] for place, trial in enumerate(done, 1) if trial["model_name"] == model]
        series.append({"type": "scatter", "name": model, "data": points, "symbolSize": 9})
    best = [[place, value] for place, value in enumerate(accumulate((trial["score"] for trial in done), max), 1)]
    line = {"type": "line", "name": "best so far", "data": best, "step": "end", "symbol": "none"}
    return {
        **_COMMON,
        "legend": {"top": 0},
        "tooltip": {"trigger": "item"},
        "xAxis": {
            "type": "value",
            "name": "trial",
            "nameLocation": "middle",
            "nameGap": 28,
            "minInterval": 1,
            "min": 1,
        },
        "yAxis": {"type": "value", "name": "score", "scale": True},
        "series": [*series, {**line, "lineStyle": {"width": 1.5, "color": "#888"}, "itemStyle": {"color": "#888"}}],
    }


def trial_plots(logs: Row) -> list[Option]:
    """One chart per plot that the template defined, and one over time per metric of no plot that has several values."""
    plots = list(logs["plots"])
    plots += [
        {"title": name, "metrics": [name], "x_axis": None}
        for name, values in _unplotted(logs).items()
        if len(values) > 1
    ]
    return [_plot(plot, logs["metrics"]) for plot in plots]


def single_values(logs: Row) -> dict[str, Any]:
    """The metrics of no plot that were logged once: they are told, not drawn."""
    return {name: values[0] for name, values in _unplotted(logs).items() if len(values) == 1}


def _unplotted(logs: Row) -> dict[str, list[Any]]:
    plotted = {metric for plot in logs["plots"] for metric in (*plot["metrics"], plot.get("x_axis"))}
    values: dict[str, list[Any]] = {}
    for entry in logs["metrics"]:
        for name, value in entry.items():
            if name != "time" and name not in plotted:
                values.setdefault(name, []).append(value)
    return values


def _plot(plot: Row, entries: list[Row]) -> Option:
    x_axis = plot.get("x_axis") or "time"

    def points(metric: str) -> list[list[Any]]:
        # NaN and infinities are texts in the API's JSON; there is no place for them in a chart.
        drawn = (entry for entry in entries if isinstance(entry.get(metric), int | float))
        return [[entry[x_axis], entry[metric]] for entry in drawn if entry.get(x_axis) is not None]

    return {
        **_COMMON,
        "title": {"text": plot["title"], "textStyle": {"fontSize": 13}},
        "legend": {"top": 0, "right": 10},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "time" if x_axis == "time" else "value",
            "name": "" if x_axis == "time" else x_axis,
            "scale": True,
            **_AXIS_NAME,
        },
        "yAxis": {"type": "value", "scale": True},
        "series": [
            {"type": "line", "name": metric, "data": points(metric), "symbolSize": 5} for metric in plot["metrics"]
        ],
    }
