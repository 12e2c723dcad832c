"""Standard output and error of a worker: text of a trial goes to its log line by line, all other text where it went."""

from __future__ import annotations

import io
import threading
from typing import Any, BinaryIO, Callable, Optional, TextIO

_MAX_OPEN_LINE_CHARS = 65_536


class CapturedStream(io.TextIOBase):
    """`write_line` gets each line that is written while `is_open()`; lines of several threads do not mix.

    A carriage return starts a line over, as on a terminal: of a progress bar only its last state is kept.
    """

    def __init__(
        self, underlying: Optional[TextIO], write_line: Callable[[str], None], is_open: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._underlying = underlying
        self._write_line = write_line
        self._is_open = is_open
        self._thread = threading.local()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not self._is_open():
            self._thread.line = ""
            return self._underlying.write(text) if self._underlying is not None else len(text)
        *lines, rest = (getattr(self._thread, "line", "") + text).split("\n")
        for line in lines:
            self._write_line(_visible(line))
        rest = rest[rest.rfind("\r", 0, -1) + 1 :]
        if len(rest) > _MAX_OPEN_LINE_CHARS:
            self._write_line(rest)
            rest = ""
        self._thread.line = rest
        return len(text)

    def end_line(self) -> None:
        """Write what the calling thread has begun and not ended."""
        line = _visible(getattr(self._thread, "line", ""))
        self._thread.line = ""
        if line:
            self._write_line(line)

    def flush(self) -> None:
        if self._underlying is not None:
            self._underlying.flush()

    def fileno(self) -> int:
        if self._underlying is None:
            raise io.UnsupportedOperation("fileno")
        return self._underlying.fileno()

    def writable(self) -> bool:
        return True

    @property
    def buffer(self) -> BinaryIO:
        if self._underlying is None:
            raise io.UnsupportedOperation("buffer")
        return self._underlying.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def reconfigure(self, **kwargs: Any) -> None:
        """Accepted for code that sets an encoding: this stream takes any text as it is."""


def _visible(line: str) -> str:
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1 :]
