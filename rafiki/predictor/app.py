"""The predictor's HTTP interface, a bare ASGI application: `POST /predict`, `GET /` and `GET /metrics`.

There is no framework between a request and its answer: at ten thousand requests per second it would be most of the
work (`bench/serving` shows it).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, quote

import orjson

from rafiki.errors import (
    InternalServerError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    RafikiError,
    ServiceUnavailableError,
)
from rafiki.predictor.decoding import Queries, QueryDecoder
from rafiki.predictor.ensemble import Ensemble, OverloadedError
from rafiki.predictor.explanation import explain
from rafiki.predictor.figures import CONTENT_TYPE, Figures
from rafiki.predictor.files import FileDecoder, is_file_or_form
from rafiki.predictor.policy import ServingPolicy
from rafiki.tasks import Task

logger = logging.getLogger("rafiki.predictor")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_METHODS = {"/predict": ("POST",), "/": ("GET", "HEAD"), "/metrics": ("GET", "HEAD")}
#: What a body of JSON begins with, or one that is nothing: files begin with other bytes.
_JSON_STARTS = b'{["0123456789 \t\r\n'
_TRUE = ("1", "true", "yes")
_CLOSE = (b"connection", b"close")


class Disconnected(Exception):  # noqa: N818 (it is nobody's error)
    """The client went away before its request was complete."""


class PredictorApp:
    """`labels` are names of the classes, told where an explanation is asked for."""

    def __init__(
        self,
        title: str,
        task: Task,
        ensemble: Ensemble,
        policy: ServingPolicy,
        labels: Sequence[str] | None = None,
    ) -> None:
        self._title = title
        self._labels = labels
        self._ensemble = ensemble
        self._policy = policy
        self._decoder = QueryDecoder(task)
        self._files = FileDecoder(task, policy.max_pixels)
        self._file_threads = ThreadPoolExecutor(policy.n_decoders, "decoding")
        self.figures = Figures(ensemble)
        self._n_pending_body_bytes = 0
        self._members_headers: dict[tuple[int, ...], Header] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            if scope["path"] == "/predict" and scope["method"] == "POST":
                await self._serve(scope, receive, send)
            else:
                await self._other(scope, send)
        except RafikiError as error:
            await self._refuse(send, error)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        requests = self.figures.requests
        requests.n_open += 1
        try:
            body, headers = await self._predict(scope, receive)
            requests.by_status[200] += 1
            await _send(send, 200, body, headers)
        except RafikiError as error:
            requests.by_status[error.status] += 1
            raise
        except Disconnected:
            pass
        except Exception as error:  # the client gets an answer whatever is wrong with us
            logger.exception("a request failed")
            requests.by_status[InternalServerError.status] += 1
            raise InternalServerError("The predictor failed to answer; its log says why.") from error
        finally:
            requests.n_open -= 1

    async def _predict(self, scope: Scope, receive: Receive) -> tuple[bytes, tuple[Header, ...]]:
        message = await receive()
        body = message.get("body", b"")
        if message["type"] != "http.request":
            raise Disconnected
        if message["more_body"]:
            body = await self._read_rest(scope, receive, body)
        if len(body) > self._policy.max_body_bytes:
            raise self._too_large()
        started_at = time.perf_counter()
        queries = self._decoder.decode(body) if body[:1] in _JSON_STARTS else await self._decode_other(scope, body)
        if not queries.values:
            return b'{"prediction":null,"predictions":[]}', (_JSON, self._members_header(()))
        request = self._ensemble.submit(queries.values)
        answer = await request.future
        value: dict[str, Any]
        if queries.is_batch:
            value = {"prediction": None, "predictions": answer.predictions}
        else:
            value = {"prediction": answer.predictions[0], "predictions": []}
        took_s = time.perf_counter() - started_at
        self.figures.requests.n_queries += len(answer.predictions)
        self.figures.requests.seconds.observe(took_s)
        if scope["query_string"] and _asks_to_explain(scope["query_string"]):
            value["explanation"] = explain(request, self._ensemble.members, self._labels, took_s)
        return _dump(value), (_JSON, self._members_header(answer.members))

    async def _decode_other(self, scope: Scope, body: bytes) -> Queries:
        """A body that does not begin like JSON. Files are decoded aside: others' requests go on meanwhile."""
        content_type: bytes = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        if not is_file_or_form(body, content_type):
            return self._decoder.decode(body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._file_threads, self._files.decode, body, content_type)

    async def _read_rest(self, scope: Scope, receive: Receive, first: bytes) -> bytes:
        """The rest of a body that does not come in one piece, within what all such bodies may hold together."""
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self._policy.max_body_bytes:
                raise self._too_large()
        body = bytearray()
        chunk, more = first, True
        try:
            while True:
                body += chunk
                self._n_pending_body_bytes += len(chunk)
                if len(body) > self._policy.max_body_bytes:
                    raise self._too_large()
                if self._n_pending_body_bytes > self._policy.max_pending_body_bytes:
                    raise OverloadedError("Too many large requests are being read. Try again later.")
                if not more:
                    return bytes(body)
                message = await self._receive_in_time(receive)
                chunk, more = message["body"], message["more_body"]
        finally:
            self._n_pending_body_bytes -= len(body)

    async def _receive_in_time(self, receive: Receive) -> MutableMapping[str, Any]:
        try:
            message = await asyncio.wait_for(receive(), self._policy.time_limit_s)
        except TimeoutError as error:
            raise InvalidRequestError("The body did not arrive in time.", status=408) from error
        if message["type"] != "http.request":
            raise Disconnected
        return message

    def _too_large(self) -> PayloadTooLargeError:
        return PayloadTooLargeError(f"The body is larger than {self._policy.max_body_bytes} bytes.")

    def _members_header(self, members: tuple[int, ...]) -> Header:
        """`Rafiki-Members: 2/2; SkDt, TfFeedForward`: how many of how many answered, and their models' names."""
        header = self._members_headers.get(members)
        if header is None:
            all_members = self._ensemble.members
            names = ", ".join(quote(all_members[index].name, safe=" !#$&'()*+/:=?@[]^`{|}") for index in members)
            value = f"{len(members)}/{len(all_members)}; {names}".rstrip("; ")
            header = self._members_headers[members] = (b"rafiki-members", value.encode())
        return header

    async def _other(self, scope: Scope, send: Send) -> None:
        methods = _METHODS.get(scope["path"])
        if methods is None:
            raise NotFoundError(f"There is nothing at {scope['path']}. Queries go to POST /predict.")
        if scope["method"] not in methods:
            message = f"{scope['path']} does not take {scope['method']}, only {' and '.join(methods)}."
            await self._refuse(send, MethodNotAllowedError(message), (b"allow", ", ".join(methods).encode()))
            return
        if scope["path"] == "/metrics":
            await _send(send, 200, self.figures.text(), ((b"content-type", CONTENT_TYPE.encode()),))
            return
        await _send(send, 200, f"{self._title} is up.\n".encode(), (_TEXT,))

    async def _refuse(self, send: Send, error: RafikiError, *headers: Header) -> None:
        if isinstance(error, ServiceUnavailableError):
            headers += ((b"retry-after", str(self._policy.retry_after_s).encode()),)
        if error.status == 408:
            headers += (_CLOSE,)  # (after a 413 what still comes is thrown away: a client reads its answer at the end)
        await _send(send, error.status, orjson.dumps(error.to_json()), (_JSON, *headers))


def _asks_to_explain(query_string: bytes) -> bool:
    given = parse_qs(query_string.decode("latin-1")).get("explain", ())
    return any(value.lower() in _TRUE for value in given)


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits, which a custom task may well answer with
        return json.dumps(value).encode()


async def _send(send: Send, status: int, body: bytes, headers: tuple[Header, ...]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": (length, *headers)})
    await send({"type": "http.response.body", "body": body})
