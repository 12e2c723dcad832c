"""A real HTTP server that answers as a test says and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

KEPT = 2**20


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    token: str | None
    content_type: str
    body: bytes  # the first bytes of a large one
    size: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, bytes]:
        if self.content_type.startswith("application/x-www-form-urlencoded"):
            return {key: values[0].encode() for key, values in parse_qs(self.body.decode()).items()}
        message = BytesParser().parsebytes(b"Content-Type: " + self.content_type.encode() + b"\r\n\r\n" + self.body)
        return {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
            for part in message.get_payload()
        }


Answer = tuple[int, Any] | Callable[[Asked], tuple[int, Any]]


@dataclass
class Admin:
    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, call: str, answer: Any, status: int = 200) -> None:
        """`call` is such as `GET /users`; bytes are sent as an octet-stream, text as it is, all else as JSON."""
        self.answers[call] = answer if callable(answer) else (status, answer)

    def refuse(self, call: str, error: str, message: str, status: int = 400, **more: str) -> None:
        self.on(call, {"error": error, "message": message, **more}, status)

    @property
    def last(self) -> Asked:
        return self.asked[-1]


@pytest.fixture
def admin() -> Iterator[Admin]:
    admin = Admin()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet: else each answer waits 40 ms for an acknowledgement

        def answer(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            header = self.headers.get("Authorization")
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(size, KEPT))
            for start in range(len(body), size, KEPT):
                self.rfile.read(min(KEPT, size - start))
            content_type = self.headers.get("Content-Type", "")
            asked = Asked(self.command, unquote(url.path), query, header, content_type, body, size)
            admin.asked.append(asked)
            missing = (404, {"error": "NotFoundError", "message": f"no answer for {asked.method} {asked.path}"})
            answer = admin.answers.get(f"{asked.method} {asked.path}", missing)
            status, value = answer(asked) if callable(answer) else answer
            is_bytes = isinstance(value, bytes)
            sent = value if is_bytes else json.dumps(value).encode()
            content_type = "application/octet-stream" if is_bytes else "application/json"
            if isinstance(value, str):
                sent, content_type = value.encode(), "text/plain; charset=utf-8"
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (what the standard library calls)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    admin.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield admin
    server.shutdown()
    thread.join()
    server.server_close()
