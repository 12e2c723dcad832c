"""A trial's log: what the template logs and prints while its trial runs goes to the runner, line by line.

Logging never blocks training: lines wait in a bounded queue for one thread that sends them. When the runner cannot
keep up, the oldest are dropped and counted. Threads belong to the trial in which they were started; what one writes
after its trial goes to the process's own output, never into a later trial's log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections import deque
from typing import Any, Deque, List, Optional

from rafiki.model import logger
from rafiki.model.log import message_line
from rafiki.worker.channel import Channel
from rafiki.worker.checks import clean_text
from rafiki.worker.frames import Log
from rafiki.worker.streams import CapturedStream

#: Lines that wait to be sent, their characters, and the longest message.
MAX_WAITING_LINES = 20_000
MAX_WAITING_CHARS = 16_000_000
MAX_LINE_CHARS = 16_384
#: Characters of lines in one frame: well below a frame's bound, at four bytes for each.
_MAX_FRAME_CHARS = 200_000
#: Pause between two sendings, so that a thousand lines a second are not a thousand frames.
_PAUSE_S = 0.05


class TrialLog:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._trial_id: Optional[str] = None
        self._lines: Deque[str] = deque()
        self._n_chars = 0
        self._n_dropped = 0
        self._lock = threading.Lock()
        self._has_lines = threading.Event()
        self._ended = threading.Event()

    # What is caught --------------------------------------------------------------------------------------------------

    def capture(self) -> None:
        """Take over standard output and error, the root logger and Rafiki's own, for the rest of the process."""
        sys.stdout = CapturedStream(sys.__stdout__, self.write_message, self.is_open)
        sys.stderr = CapturedStream(sys.__stderr__, self.write_message, self.is_open)
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_RecordHandler(self)])
        _tag_threads(self)
        os.register_at_fork(after_in_child=self._leave_in_fork)
        threading.Thread(target=self._send_forever, name="rafiki-log", daemon=True).start()

    def begin(self, trial_id: str) -> None:
        with self._lock:
            self._trial_id = trial_id
        logger.set_sink(self._write_entry)

    def end(self) -> None:
        """Close the trial's log. When this returns, all of its lines have been sent."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, CapturedStream):
                stream.end_line()
        logger.set_sink(None)
        self._send()
        with self._lock:
            self._trial_id = None
            self._lines.clear()
            self._n_chars = self._n_dropped = 0

    def is_open(self) -> bool:
        """Whether what the calling thread writes belongs to the trial that runs."""
        return self._trial_id is not None and self.trial_of_thread() == self._trial_id

    def trial_of_thread(self) -> Optional[str]:
        thread = threading.current_thread()
        if thread is threading.main_thread():
            return self._trial_id
        if "rafiki_trial_id" not in thread.__dict__:  # started by native code: it belongs where it is first heard of
            thread.__dict__["rafiki_trial_id"] = self._trial_id
        trial_id: Optional[str] = thread.__dict__["rafiki_trial_id"]
        return trial_id

    def write_message(self, text: str) -> None:
        self._put(message_line(clean_text(_cut(text))))

    def _write_entry(self, line: str) -> None:
        if not self.is_open():  # a thread of an earlier trial
            print(line)
            return
        if len(line) > MAX_LINE_CHARS:
            entry = json.loads(line)
            if "message" in entry:
                line = json.dumps({**entry, "message": _cut(entry["message"])})
        self._put(line if len(line) <= 8 * MAX_LINE_CHARS else None)

    # What is sent -----------------------------------------------------------------------------------------------------

    def _put(self, line: Optional[str]) -> None:
        """Have a line sent; `None` is one that is too long, lost and counted."""
        with self._lock:
            if not self.is_open():  # it ended meanwhile
                return
            if line is None:
                self._n_dropped += 1
            else:
                self._lines.append(line)
                self._n_chars += len(line)
            while len(self._lines) > MAX_WAITING_LINES or self._n_chars > MAX_WAITING_CHARS:
                self._n_chars -= len(self._lines.popleft())
                self._n_dropped += 1
        self._has_lines.set()

    def _send_forever(self) -> None:
        while True:
            self._has_lines.wait()
            self._send()
            self._ended.wait(_PAUSE_S)

    def _send(self) -> None:
        # The write lock is held from taking lines to having sent them: a reply cannot get ahead of them.
        with self._channel.write_lock:
            while True:
                log = self._take()
                if log is None:
                    return
                self._channel.log(log)

    def _take(self) -> Optional[Log]:
        with self._lock:
            self._has_lines.clear()
            if self._trial_id is None or not self._lines:
                return None
            lines: List[str] = []
            n_left = self._n_chars - _MAX_FRAME_CHARS
            while self._lines and self._n_chars > n_left:
                lines.append(self._lines.popleft())
                self._n_chars -= len(lines[-1])
            if self._lines:
                self._has_lines.set()
            n_dropped, self._n_dropped = self._n_dropped, 0
            return Log(self._trial_id, lines, n_dropped)

    def _leave_in_fork(self) -> None:
        """A child that the template forks has no sender: it writes to the process's own output."""
        self._lock = threading.Lock()
        self._trial_id = None
        self._lines.clear()
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        logger.set_sink(None)


class _RecordHandler(logging.StreamHandler):  # type: ignore[type-arg]  # not generic at run time before 3.11
    """Keeps a record as one message, however many lines it has."""

    def __init__(self, log: TrialLog) -> None:
        super().__init__(sys.__stderr__)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        if not self._log.is_open():
            super().emit(record)
            return
        try:
            self._log.write_message(self.format(record))
        except Exception:  # noqa: BLE001 (a record's arguments are the template's: `logging` shows such faults so)
            self.handleError(record)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LINE_CHARS else text[:MAX_LINE_CHARS] + "..."


def _tag_threads(log: TrialLog) -> None:
    """Let every thread that Python code starts belong to the trial of the thread that starts it."""
    start = threading.Thread.start

    def start_in_trial(thread: threading.Thread, *args: Any, **kwargs: Any) -> None:
        thread.__dict__["rafiki_trial_id"] = log.trial_of_thread()
        start(thread, *args, **kwargs)

    threading.Thread.start = start_in_trial  # type: ignore[method-assign,assignment]
