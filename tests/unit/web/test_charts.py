from datetime import UTC, datetime
from typing import Any

from rafiki.web import charts, format


def trial(no: int, model: str, score: float | None, status: str = "COMPLETED") -> dict[str, Any]:
    started = f"2026-01-01T00:00:{no:02d}+00:00"
    return {"no": no, "model_name": model, "score": score, "status": status, "datetime_started": started}


def test_scores_are_drawn_in_order_of_start_with_the_best_so_far() -> None:
    trials = [trial(3, "B", 0.5), trial(1, "A", 0.4), trial(2, "A", 0.7), trial(4, "B", None, "ERRORED")]
    series = {one["name"]: one["data"] for one in charts.scores(trials)["series"]}
    assert series == {
        "A": [[1, 0.4], [2, 0.7]],
        "B": [[3, 0.5]],
        "best so far": [[1, 0.4], [2, 0.7], [3, 0.7]],
    }


def test_a_job_without_trials_has_an_empty_chart() -> None:
    assert [one["data"] for one in charts.scores([])["series"]] == [[]]


def test_each_defined_plot_is_a_chart_over_its_axis() -> None:
    logs = {
        "messages": [],
        "metrics": [{"time": "t0", "epoch": 0, "loss": 1.0}, {"time": "t1", "epoch": 1, "loss": 0.5}, {"time": "t2"}],
        "plots": [{"title": "Loss", "metrics": ["loss"], "x_axis": "epoch"}],
    }
    (option,) = charts.trial_plots(logs)
    assert option["title"]["text"] == "Loss"
    assert option["series"][0]["data"] == [[0, 1.0], [1, 0.5]]


def test_metrics_of_no_plot_are_drawn_over_time_or_told_where_there_is_one_value() -> None:
    metrics = [
        {"time": "t0", "accuracy": 0.3},
        {"time": "t1", "accuracy": 0.4, "n": 7},
        {"time": "t2", "accuracy": "NaN"},
    ]
    logs = {"messages": [], "metrics": metrics, "plots": []}
    (option,) = charts.trial_plots(logs)
    assert option["xAxis"]["type"] == "time"
    assert option["series"][0]["data"] == [["t0", 0.3], ["t1", 0.4]]
    assert charts.single_values(logs) == {"n": 7}


def test_a_duration_runs_until_now_while_there_is_no_stop() -> None:
    now = datetime(2026, 1, 1, 2, 5, tzinfo=UTC)
    assert format.duration("2026-01-01T02:04:55.500000+00:00", None, now) == "4.5 s"
    assert format.duration("2026-01-01T00:00:00+00:00", None, now) == "2 h 5 min"
    assert format.duration("2026-01-01T00:00:00+00:00", "2026-01-01T00:03:12+00:00", now) == "3 min 12 s"


def test_knobs_read_in_one_line() -> None:
    assert format.knobs({"knobs": {"C": 0.123456, "kernel": "rbf"}}) == "C = 0.1235, kernel = rbf"
