"""Control sockets: how the server and the runners of its machine talk, and how a process is known for certain.

Every runner listens on a Unix socket of its own (mode 0600, in the data folder's `run/`), named after its job. The
server connects to it, again after the server was restarted, and the connection's end is how each side learns that
the other is gone. Messages are JSON objects, one per line:

| from | message | meaning |
| --- | --- | --- |
| runner | `{"type": "hello", "job_id", "epoch", "pid"}` | first line of every connection |
| server | `{"type": "stop"}` | end now; the job's rows are settled already |
| server | `{"type": "suspend"}` | the platform stops: settle what runs and exit; the job goes on at the next start |
| server | `{"type": "hint", "what": "slots", "models" or "datasets"}` | what you may be waiting for has changed |
| server | `{"type": "status"}` | answer with `{"type": "status", ...}` |
| runner | `{"type": "changed", "what": "slots"}` | a slot was given back: hint the others |
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Message = dict[str, Any]

#: Longest line that either side takes.
MAX_LINE_BYTES = 1 << 20


@contextmanager
def _short_address(path: Path) -> Iterator[str]:
    """`path` as an address that fits a Unix socket's 107 bytes, however deep the data folder is."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Connection:
    """One end of a control connection. `send` never blocks; what cannot be delivered any more is dropped."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> Message | None:
        """The next message; `None` when the other side is gone. Lines that are no JSON object are passed over."""
        while True:
            try:
                line = await self._reader.readline()
            except (ConnectionError, ValueError):
                return None
            if not line:
                return None
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    return message

    def close(self) -> None:
        self._writer.close()


async def connect(path: Path) -> Connection:
    """Connect to the runner that listens at `path`. Raises `OSError` when there is none."""
    with _short_address(path) as address:
        reader, writer = await asyncio.open_unix_connection(address, limit=MAX_LINE_BYTES)
    return Connection(reader, writer)


class ControlServer:
    """A runner's side: listens at `path`, greets every connection, hands messages to `on_message`.

    `on_absence(True)` is called when the last connection ends, `on_absence(False)` when there is one again.
    """

    def __init__(
        self,
        path: Path,
        hello: Message,
        on_message: Callable[[Message, Connection], None],
        on_absence: Callable[[bool], None] = lambda absent: None,
    ) -> None:
        self._path = path
        self._hello = {"type": "hello", "pid": os.getpid(), **hello}
        self._on_message = on_message
        self._on_absence = on_absence
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        umask = os.umask(0o177)
        try:
            with _short_address(self._path) as address:
                self._server = await asyncio.start_unix_server(self._serve, address, limit=MAX_LINE_BYTES)
        finally:
            os.umask(umask)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        if not self._connections:
            self._on_absence(False)
        self._connections.add(connection)
        connection.send(self._hello)
        try:
            while (message := await connection.receive()) is not None:
                self._on_message(message, connection)
        finally:
            self._connections.discard(connection)
            connection.close()
            if not self._connections:
                self._on_absence(True)

    def broadcast(self, message: Message) -> None:
        for connection in self._connections:
            connection.send(message)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        self._path.unlink(missing_ok=True)


def control_path(run_dir: Path, job_id: str) -> Path:
    return run_dir / f"{job_id}.sock"


def process_start_time(pid: int) -> int | None:
    """When `pid` was started, in clock ticks since boot; `None` when there is no such process (or only its zombie).

    With the pid it names a process for certain: a pid alone may be somebody else's by now.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


async def wait_for_exit(pidfd: int) -> None:
    """Return when the process behind `pidfd` has ended. The descriptor stays the caller's."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def on_readable() -> None:
        loop.remove_reader(pidfd)
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(pidfd, on_readable)
    try:
        await ended
    finally:
        loop.remove_reader(pidfd)
