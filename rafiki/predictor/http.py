"""The HTTP server under a predictor: uvicorn, on a socket that the caller has bound, without signals of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, cast

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rafiki.errors import InvalidRequestError
from rafiki.predictor.app import PredictorApp

#: How long a connection without a request under way stays open. Longer than what most clients and proxies keep
#: theirs for, so that a client does not write into a connection that is just being closed.
KEEP_ALIVE_S = 75
#: What requests under way get to end when the server stops.
STOP_GRACE_S = 2
BACKLOG = 2048


class _JoiningTransport:
    """A transport on which a response's head waits for its body, for one turn of the loop.

    Each write is a system call that wakes the client: one in place of two is a tenth of what a small request costs.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.endswith(b"\r\n\r\n"):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def _flush(self) -> None:
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(HttpToolsProtocol):
    """Closes connections that never send a request, and refuses what is no HTTP in the form of all other errors."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _JoiningTransport(transport, self.loop)))
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def send_400_response(self, msg: str) -> None:
        body = orjson.dumps(InvalidRequestError(msg).to_json())
        head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The runner decides when to stop."""
        yield


class PredictorServer:
    def __init__(self, app: PredictorApp, listener: socket.socket) -> None:
        """`listener` is what `listen` gave; it is closed when the server stops."""
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_GRACE_S,
        )
        self._server = _Server(config)
        self._listener = listener
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connections are taken from now on; those made before were waiting in the listener."""
        self._serving = asyncio.create_task(self._server.serve([self._listener]), name="predictor server")

    async def stop(self) -> None:
        """No new requests; those under way are answered, within a grace."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at an address. Raises `OSError` when somebody else holds it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
