"""The worker's end of its connection to the runner: blocking, and safe to write to from several threads."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections import deque
from typing import Callable, Deque, Optional, Tuple

from rafiki.worker.frames import (
    REQUESTS,
    Bulk,
    Failed,
    FrameSplitter,
    Log,
    Reply,
    Request,
    decode,
    encode,
    fetch,
    to_wire,
)

_POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)


class Channel:
    def __init__(self, connection: socket.socket, scratch_dir: str) -> None:
        self._socket = connection
        self._socket.setblocking(True)
        self._scratch_dir = scratch_dir
        self._splitter = FrameSplitter()
        self._received = memoryview(bytearray(1 << 16))  # kept: a new buffer per receipt would cost 10 us
        self._bodies: Deque[bytearray] = deque()
        self.write_lock = threading.RLock()

    def receive(self) -> Optional[Tuple[int, Request]]:
        """The next request and its number; `None` at the end of the connection."""
        while not self._bodies:
            n_bytes = self._socket.recv_into(self._received)
            if not n_bytes:
                return None
            self._splitter.feed(self._received[:n_bytes])
            self._bodies.extend(self._splitter.bodies())
        message_id, message = decode(self._bodies.popleft(), REQUESTS)
        if isinstance(message, Bulk):
            message_id, message = decode(fetch(message, self._scratch_dir), REQUESTS)
        return message_id, message  # type: ignore[return-value]  # `decode` lets only REQUESTS through

    def reply(self, message_id: int, reply: Reply, on_unsendable: Callable[[Exception], Failed]) -> None:
        """Send a reply; where its values have no form on the wire, what `on_unsendable` makes of that."""
        try:
            wire = to_wire(encode(reply, message_id), self._scratch_dir)
        except (TypeError, ValueError, RecursionError, OSError) as error:
            wire = to_wire(encode(on_unsendable(error), message_id), self._scratch_dir)
        with self.write_lock:
            self._socket.sendall(wire)

    def log(self, log: Log) -> None:
        wire = to_wire(encode(log, None), self._scratch_dir)
        with self.write_lock:
            self._socket.sendall(wire)

    def end_with_connection(self) -> None:
        """From now on the end of the connection ends this process and its children, whatever it is doing."""
        poll = select.poll()
        poll.register(self._socket.fileno(), _POLLRDHUP)

        def wait() -> None:
            poll.poll()
            if os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)
            os._exit(1)

        threading.Thread(target=wait, name="rafiki-connection", daemon=True).start()

    def close_in_forks(self) -> None:
        """A child that the template forks must neither speak for the worker nor hold its connection open."""
        os.register_at_fork(after_in_child=self._socket.close)
