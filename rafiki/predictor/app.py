"""The predictor's HTTP interface, a bare ASGI application: `POST /predict` and `GET /`.

There is no framework between a request and its answer: at ten thousand requests per second it would be most of the
work (`bench/serving` shows it).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

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
from rafiki.predictor.decoding import QueryDecoder
from rafiki.predictor.ensemble import Ensemble, OverloadedError
from rafiki.predictor.policy import ServingPolicy
from rafiki.tasks import Task

logger = logging.getLogger("rafiki.predictor")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_METHODS = {"/predict": ("POST",), "/": ("GET", "HEAD")}
_CLOSE = (b"connection", b"close")


class Disconnected(Exception):  # noqa: N818 (it is nobody's error)
    """The client went away before its request was complete."""


class PredictorApp:
    def __init__(self, title: str, task: Task, ensemble: Ensemble, policy: ServingPolicy) -> None:
        self._title = title
        self._ensemble = ensemble
        self._policy = policy
        self._decoder = QueryDecoder(task)
        self._n_pending_body_bytes = 0
        self._members_headers: dict[tuple[int, ...], Header] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            if scope["path"] == "/predict" and scope["method"] == "POST":
                body, headers = await self._predict(scope, receive)
                await _send(send, 200, body, headers)
            else:
                await self._other(scope, send)
        except RafikiError as error:
            await self._refuse(send, error)
        except Disconnected:
            pass
        except Exception:  # the client gets an answer whatever is wrong with us
            logger.exception("a request failed")
            await self._refuse(send, InternalServerError("The predictor failed to answer; its log says why."))

    async def _predict(self, scope: Scope, receive: Receive) -> tuple[bytes, tuple[Header, ...]]:
        message = await receive()
        body = message.get("body", b"")
        if message["type"] != "http.request":
            raise Disconnected
        if message["more_body"]:
            body = await self._read_rest(scope, receive, body)
        if len(body) > self._policy.max_body_bytes:
            raise self._too_large()
        queries = self._decoder.decode(body)
        if not queries.values:
            return b'{"prediction":null,"predictions":[]}', (_JSON, self._members_header(()))
        answer = await self._ensemble.predict(queries.values)
        if queries.is_batch:
            value = {"prediction": None, "predictions": answer.predictions}
        else:
            value = {"prediction": answer.predictions[0], "predictions": []}
        return _dump(value), (_JSON, self._members_header(answer.members))

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
        await _send(send, 200, f"{self._title} is up.\n".encode(), (_TEXT,))

    async def _refuse(self, send: Send, error: RafikiError, *headers: Header) -> None:
        if isinstance(error, ServiceUnavailableError):
            headers += ((b"retry-after", str(self._policy.retry_after_s).encode()),)
        if error.status == 408:
            headers += (_CLOSE,)  # (after a 413 what still comes is thrown away: a client reads its answer at the end)
        await _send(send, error.status, orjson.dumps(error.to_json()), (_JSON, *headers))


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits, which a custom task may well answer with
        return json.dumps(value).encode()


async def _send(send: Send, status: int, body: bytes, headers: tuple[Header, ...]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": (length, *headers)})
    await send({"type": "http.response.body", "body": body})
