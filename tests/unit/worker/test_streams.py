"""What is printed during a trial, as lines."""

from __future__ import annotations

import io
import threading

from rafiki.worker.streams import CapturedStream


class Captured:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.elsewhere = io.StringIO()
        self.is_open = True
        self.stream = CapturedStream(self.elsewhere, self.lines.append, lambda: self.is_open)


def test_lines_are_written_when_they_are_complete() -> None:
    captured = Captured()
    print("a", 1, file=captured.stream)
    captured.stream.write("b\nc")
    assert captured.lines == ["a 1", "b"]
    captured.stream.write("d\n")
    assert captured.lines == ["a 1", "b", "cd"]
    captured.stream.write("unfinished")
    captured.stream.end_line()
    captured.stream.end_line()
    assert captured.lines == ["a 1", "b", "cd", "unfinished"]


def test_of_a_progress_bar_the_last_state_is_kept() -> None:
    captured = Captured()
    for percent in range(0, 101, 10):
        captured.stream.write(f"\r{percent:3d}%")
    captured.stream.write("\n")
    captured.stream.write("windows line\r\n")
    assert captured.lines == ["100%", "windows line"]


def test_text_outside_of_a_trial_goes_where_it_went() -> None:
    captured = Captured()
    captured.is_open = False
    print("outside", file=captured.stream)
    assert captured.lines == []
    assert captured.elsewhere.getvalue() == "outside\n"


def test_lines_of_two_threads_do_not_mix() -> None:
    captured = Captured()
    captured.stream.write("main ")
    thread = threading.Thread(target=lambda: captured.stream.write("other\n"))
    thread.start()
    thread.join()
    captured.stream.write("line\n")
    assert captured.lines == ["other", "main line"]


def test_a_line_without_end_does_not_grow_for_ever() -> None:
    captured = Captured()
    for _ in range(100):
        captured.stream.write("x" * 1000)
    assert sum(map(len, captured.lines)) > 30_000
