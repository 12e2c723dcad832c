"""A trial's log while the runner does not read: bounded, and what is lost is counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from rafiki.model import logger
from rafiki.worker.frames import MAX_FRAME_BYTES, Log, encode
from rafiki.worker.trial_log import MAX_WAITING_CHARS, MAX_WAITING_LINES, TrialLog


class FakeChannel:
    def __init__(self) -> None:
        self.write_lock = threading.RLock()
        self.sent: list[Log] = []

    def log(self, log: Log) -> None:
        self.sent.append(log)


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def log(channel: FakeChannel) -> Iterator[TrialLog]:
    yield TrialLog(channel)  # type: ignore[arg-type]
    logger.set_sink(None)


def test_the_oldest_lines_are_dropped_and_counted(log: TrialLog, channel: FakeChannel) -> None:
    log.begin("t")
    for n in range(MAX_WAITING_LINES + 100):
        log.write_message(str(n))
    log.end()
    assert sum(sent.n_dropped for sent in channel.sent) == 100
    assert json.loads(channel.sent[0].lines[0])["message"] == "100"
    assert sum(len(sent.lines) for sent in channel.sent) == MAX_WAITING_LINES


def test_what_waits_is_bounded_and_every_frame_fits(log: TrialLog, channel: FakeChannel) -> None:
    log.begin("t")
    for _ in range(3000):
        log.write_message("\N{SNOWMAN}" * 20_000)
    logger.log(**{f"metric_{n}": n for n in range(50_000)})
    log.end()
    assert sum(len(line) for sent in channel.sent for line in sent.lines) <= MAX_WAITING_CHARS
    assert max(len(encode(sent, None)) for sent in channel.sent) <= MAX_FRAME_BYTES
    assert sum(len(sent.lines) + sent.n_dropped for sent in channel.sent) == 3001


def test_outside_of_a_trial_nothing_is_sent(log: TrialLog, channel: FakeChannel) -> None:
    log.write_message("before")
    log.begin("t")
    log.end()
    log.write_message("after")
    log.begin("u")
    log.end()
    assert channel.sent == []
