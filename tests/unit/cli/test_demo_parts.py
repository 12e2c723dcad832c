"""The demo's parts: what it prints where there is no terminal, and how it finds processes left running."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from rafiki.cli.demo_server import processes_of
from rafiki.cli.demo_view import DemoView


def trial(model, no, status, score=None):
    return {
        "model_name": model,
        "no": no,
        "status": status,
        "score": score,
        "proposal": {"knobs": {"depth": 3, "rate": 0.123456, "kind": "[a]"}},
        "datetime_started": "2030-01-01T00:00:00.000000Z",
        "datetime_stopped": "2030-01-01T00:00:01.500000Z",
    }


@pytest.fixture
def printed(capsys):
    def read():
        text = capsys.readouterr().out
        assert all(char.isprintable() or char == "\n" for char in text), "control characters"
        return text

    return read


def test_training_without_a_terminal_is_a_line_per_change(printed):
    view = DemoView()
    running, done = trial("A", 1, "RUNNING"), trial("A", 1, "COMPLETED", 0.75)
    with view.training(["A", "B"], 2) as progress:
        progress({}, [])
        progress({}, [running])
        progress({}, [running])
        progress({}, [trial("B", 1, "ERRORED"), done])
    assert printed().split("\n") == [
        "   A: 0 of 2 trials done, 0 running",
        "   B: 0 of 2 trials done, 0 running",
        "   A: 0 of 2 trials done, 1 running",
        "   A: 1 of 2 trials done, 0 running, best score 0.7500",
        "   B: 1 of 2 trials done, 0 running",
        "",
    ]


def test_trials_are_a_table_with_their_knobs(printed):
    DemoView().trials([trial("A", 7, "COMPLETED", 0.75)])
    text = printed()
    assert "0.7500" in text
    assert "1.5" in text
    assert "depth=3, rate=0.1235, kind=[a]" in text


def test_predictions_stand_beside_true_classes(printed):
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = 255
    DemoView().predictions([image], [1], [[0.25, 0.75]])
    text = printed()
    assert "true class 1" in text
    assert "answer 1 (0.75)" in text
    assert "@@" in text


def test_processes_are_known_by_the_folder_they_were_started_with(tmp_path):
    ready = "print(1, flush=True); input()"
    command = [sys.executable, "-c", ready]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    ways = [
        subprocess.Popen([*command, f"--data={tmp_path}/x"], **pipes),
        subprocess.Popen(command, env={"HOME": str(tmp_path)}, **pipes),
        subprocess.Popen(command, cwd=tmp_path, **pipes),
    ]
    other = subprocess.Popen(command, **pipes)
    try:
        for process in (*ways, other):
            process.stdout.readline()
        assert set(processes_of(tmp_path)) == {process.pid for process in ways}
    finally:
        for process in (*ways, other):
            process.communicate(b"\n")
    assert processes_of(tmp_path) == {}
