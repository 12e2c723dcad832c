import io
import json
import logging
import sys
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from rafiki.model import LoggerUtils, logger, utils
from rafiki.model.log import message_line


@pytest.fixture
def lines():
    return []


@pytest.fixture
def sunk(lines):
    """A logger whose entries go to `lines`, as on the platform."""
    sunk = LoggerUtils()
    sunk.set_sink(lines.append)
    return sunk


def _assert_legal(lines):
    """Every line is JSON that a strict reader takes."""
    for line in lines:
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_messages_metrics_and_plots(sunk, lines):
    before = datetime.now(UTC)
    sunk.define_plot("Accuracy", ["train", "val"], x_axis="epoch")
    sunk.define_plot("Speed", ["speed"])
    sunk.log("Starting")
    sunk.log("Both", epoch=1, train=0.5)
    sunk.log(val=0.25)
    messages, metrics, plots = LoggerUtils.parse_logs(lines)
    assert [message["message"] for message in messages] == ["Starting", "Both"]
    assert [set(message) for message in messages] == [{"time", "message"}] * 2
    assert [{name: value for name, value in entry.items() if name != "time"} for entry in metrics] == [
        {"epoch": 1, "train": 0.5},
        {"val": 0.25},
    ]
    assert plots == [
        {"title": "Accuracy", "metrics": ["train", "val"], "x_axis": "epoch"},
        {"title": "Speed", "metrics": ["speed"], "x_axis": None},
    ]
    for entry in messages + metrics:
        assert before <= datetime.fromisoformat(entry["time"]) <= datetime.now(UTC)


def test_loss_shorthands(sunk, lines):
    sunk.define_loss_plot()
    sunk.log_loss(0.75, 3)
    _, metrics, plots = sunk.parse_logs(lines)
    assert plots[0]["metrics"] == ["loss"]
    assert plots[0]["x_axis"] == "epoch"
    assert (metrics[0]["loss"], metrics[0]["epoch"]) == (0.75, 3)


def test_nothing_to_log_logs_nothing(sunk, lines):
    sunk.log()
    assert lines == []


def test_messages_of_any_type_and_text(sunk, lines):
    sunk.log(msg=5)
    sunk.log("line 1\nline 2 \ud800 😀")
    assert [entry["message"] for entry in sunk.parse_logs(lines)[0]] == ["5", "line 1\nline 2 ? 😀"]
    assert all(line.isascii() and "\n" not in line for line in lines)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.float16(2), 2.0),
        (np.int64(7), 7),
        (np.uint8(255), 255),
        (np.bool_(True), 1),
        (True, 1),
        (2**63 - 1, 2**63 - 1),
        (10**30, 1e30),
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
        (float("nan"), "NaN"),
        (np.float32("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_any_number_survives_as_legal_json(sunk, lines, value, kept):
    sunk.log(x=value)
    _assert_legal(lines)
    (entry,) = sunk.parse_logs(lines)[1]
    assert entry["x"] == kept
    assert type(entry["x"]) is type(kept)
    float(entry["x"])


@pytest.mark.parametrize("value", ["1", None, [1.0], np.array([1.0, 2.0]), 1j, np.timedelta64(1, "s"), {}])
def test_a_metric_that_is_no_number_is_named(sunk, lines, value):
    with pytest.raises(TypeError, match="'accuracy'"):
        sunk.log("message", loss=1, accuracy=value)
    assert lines == []


def test_time_is_no_metric(sunk, lines):
    with pytest.raises(ValueError, match="time"):
        sunk.log(time=5)
    assert lines == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((1, ["a"]), TypeError),
        (("t", "a"), TypeError),
        (("t", [1]), TypeError),
        (("t", []), ValueError),
        (("t", ["a"], 1), TypeError),
    ],
)
def test_plots_are_checked(sunk, arguments, error):
    with pytest.raises(error):
        sunk.define_plot(*arguments)


def test_lines_that_are_no_entries_are_messages():
    lines = [
        "plain text\n",
        b"bytes \xff",
        "",
        "  \n",
        "[]",
        '"text"',
        "5",
        '{"type": "METRICS"}',
        '{"type": "METRICS", "time": "t", "metrics": {"x": "five"}}',
        '{"type": "METRICS", "time": 5, "metrics": {"x": 5}}',
        '{"type": "PLOT", "title": "t", "metrics": 5, "x_axis": null}',
        '{"type": "MESSAGE", "time": null, "message": "m"}',
        "[" * 100_000,
        '{"type": "METRICS", "time": "t", "metrics": {"x": ' + "9" * 5000 + "}}",
    ]
    messages, metrics, plots = LoggerUtils.parse_logs(lines)
    assert len(messages) == len(lines) - 2
    assert all(message["time"] is None and isinstance(message["message"], str) for message in messages)
    assert (messages[0]["message"], metrics, plots) == ("plain text", [], [])


def test_forged_numbers_are_made_legal():
    line = '{"type": "METRICS", "time": "t", "metrics": {"a": NaN, "b": -Infinity, "c": 1e999, "d": true, "time": 4}}'
    assert LoggerUtils.parse_logs([line])[1] == [{"time": "t", "a": "NaN", "b": "-Infinity", "c": "Infinity", "d": 1}]


def test_a_message_that_came_not_from_the_logger():
    ((message,), _, _) = LoggerUtils.parse_logs([message_line("printed")])
    assert message["message"] == "printed"
    assert message["time"]


def test_outside_the_platform_entries_are_printed_readably(capsys):
    outside = LoggerUtils()
    outside.define_plot("Loss", ["loss"], "epoch")
    outside.log("Hello", loss=0.123456789, epoch=2)
    outside.log(gone=float("nan"))
    printed = capsys.readouterr().out.splitlines()
    assert "Loss" in printed[0]
    assert "loss over epoch" in printed[0]
    assert printed[1].endswith("Hello")
    assert printed[2].endswith("loss=0.123457, epoch=2")
    assert printed[3].endswith("gone=NaN")


def test_a_terminal_without_all_characters_ends_no_training(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    LoggerUtils().log("naïve")
    terminal.flush()
    assert b"na\\xefve" in terminal.buffer.getvalue()


def test_many_threads(sunk, lines):
    def work(number):
        for i in range(200):
            sunk.log(f"{number}", **{f"step_{number}": i})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    messages, metrics, _ = sunk.parse_logs(lines)
    assert len(messages) == len(metrics) == 1600
    for number in range(8):
        steps = [entry[f"step_{number}"] for entry in metrics if f"step_{number}" in entry]
        assert steps == list(range(200))


def test_the_one_logger():
    assert utils.logger is logger
    assert not isinstance(logger, logging.Logger)


def test_what_no_utf8_answer_could_hold_is_replaced():
    lines = [
        r'{"type": "MESSAGE", "time": "t", "message": "half \udcff a character"}',
        r'{"type": "METRICS", "time": "t", "metrics": {"\udcff": 1}}',
        "\udcff is no entry",
    ]
    messages, metrics, _ = LoggerUtils.parse_logs(lines)
    assert [entry["message"] for entry in messages] == ["half ? a character", "? is no entry"]
    assert metrics == [{"time": "t", "?": 1}]
