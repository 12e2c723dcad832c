"""From calls to requests: the server's address, who is signed in, what is tried again, how answers read."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from rafiki.client.address import server_address
from rafiki.client.errors import INVALID_ANSWER, SERVER_UNREACHABLE, RafikiConnectionError
from rafiki.client.polling import Polling
from rafiki.client.records import readable
from rafiki.client.steps import Call, Download, Pause, Retry, Row, Step, Steps, Upload

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

# A sign-in lasts an hour; it is renewed before that, so that no call comes too late.
_SIGN_IN_RENEWED_AFTER_S = 3000.0


@dataclass(frozen=True)
class Request:
    """What goes out, once."""

    method: str
    url: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    content: bytes | None
    form: Mapping[str, Any] | None
    upload: Upload | None
    download: Download | None
    answer_limit_s: float


#: What a transport carries out: a request is answered by a response that has been read, a pause by None.
Effect: TypeAlias = Request | Pause
Effects: TypeAlias = Generator[Effect, Any, T]


@dataclass
class SignIn:
    """Who is signed in. `password` is None for a token that was given from outside."""

    token: str = field(repr=False)
    user: Row | None = None
    email: str = ""
    password: str | None = field(default=None, repr=False)
    since_s: float = 0.0


class Connection:
    """What the blocking and the asynchronous client have in common; they differ in how they carry out effects."""

    def __init__(
        self,
        admin_host: str | None = None,
        admin_port: int | str | None = None,
        token: str | None = None,
        polling: Polling | None = None,
    ) -> None:
        self._address = server_address(admin_host, admin_port)
        given = token or os.environ.get("RAFIKI_TOKEN")
        self._sign_in = SignIn(given) if given else None
        self.polling = polling or Polling()

    @property
    def address(self) -> str:
        """The server's address, such as `http://localhost:3000`."""
        return self._address

    @property
    def token(self) -> str | None:
        """What calls are signed with; None before sign-in."""
        return None if self._sign_in is None else self._sign_in.token

    def __repr__(self) -> str:
        if self._sign_in is None:
            who = "not signed in"
        elif self._sign_in.user is None:
            who = "signed in by a token"
        else:
            who = f"signed in as {self._sign_in.user['user_type']} {self._sign_in.user['id']}"
        return f"<{type(self).__name__} of {self.address}, {who}>"

    def _sign_in_as(self, email: str, password: str) -> Generator[Step, Any, Row]:
        body = {"email": email, "password": password}
        answer = yield from Call[Row]("POST", "/tokens", body=body, is_signed=False)
        user = {"id": answer["user_id"], "user_type": answer["user_type"]}
        self._sign_in = SignIn(answer["token"], user, email, password, self.polling.now())
        return dict(user)

    def _effects(self, steps: Steps[T]) -> Effects[T]:
        """Everything there is to do for the steps of a method, in order."""
        running = iter(steps)
        try:
            step = next(running)
            while True:
                try:
                    answer = yield from self._pause(step) if isinstance(step, Pause) else self._answer(step)
                except RafikiConnectionError as error:
                    step = running.throw(error)
                else:
                    step = running.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _pause(self, pause: Pause) -> Effects[None]:
        yield pause

    def _answer(self, call: Call[Any]) -> Effects[Any]:
        """The answer to one call; the sign-in is renewed where it is, or is about to be, over."""
        sign_in = self._sign_in if call.is_signed else None
        if sign_in is None or sign_in.password is None:
            return (yield from self._attempts(call))
        if self.polling.now() - sign_in.since_s > _SIGN_IN_RENEWED_AFTER_S:
            yield from self._renew(sign_in.email, sign_in.password)
        try:
            return (yield from self._attempts(call))
        except RafikiConnectionError as error:
            if error.status != 401:
                raise
        yield from self._renew(sign_in.email, sign_in.password)
        return (yield from self._attempts(call))

    def _renew(self, email: str, password: str) -> Effects[Row]:
        return (yield from self._effects(self._sign_in_as(email, password)))

    def _attempts(self, call: Call[Any]) -> Effects[Any]:
        retry = call.retry or (Retry.ALWAYS if call.method == "GET" else Retry.NEVER)
        pauses = iter(self.polling.retry_after_s if retry is not Retry.NEVER else ())
        while True:
            try:
                response = yield self._request(call)
                return None if call.download and response.status_code == 200 else read_answer(response)
            except RafikiConnectionError as error:
                pause_s = next(pauses, None)
                is_safe = error.is_outage if retry is Retry.ALWAYS else error.name == SERVER_UNREACHABLE
                if pause_s is None or not is_safe:
                    raise
            yield Pause(pause_s)

    def _request(self, call: Call[Any]) -> Request:
        headers = {}
        if call.is_signed and self._sign_in is not None:
            headers["Authorization"] = f"Bearer {self._sign_in.token}"
        content = None
        if call.body is not None:
            content = encode_json(_without_none(call.body))
            headers["Content-Type"] = "application/json"
        return Request(
            call.method,
            (call.base or self.address) + call.path,
            _without_none(call.params or {}),
            headers,
            content,
            _without_none(call.form or {}) or None,
            call.upload,
            call.download,
            call.answer_limit_s,
        )


def read_answer(response: httpx.Response) -> Any:
    """The decoded answer to a request; `RafikiConnectionError` where it is a refusal, or none of Rafiki's."""
    if response.status_code != 200:
        _raise_refusal(response)
    content_type = response.headers.get("Content-Type", "")
    if content_type.startswith("application/octet-stream"):
        return response.content
    if content_type.startswith("text/plain"):
        return response.text
    try:
        return readable(response.json())
    except ValueError as error:
        message = f"what answers at {response.request.url} is not Rafiki: it sent no JSON"
        raise RafikiConnectionError(INVALID_ANSWER, message, status=200) from error


def _raise_refusal(response: httpx.Response) -> NoReturn:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "error" not in answer:
        message = f"{response.request.url} answered with status {response.status_code} and no reason"
        raise RafikiConnectionError(INVALID_ANSWER, message, "is it a Rafiki server?", response.status_code)
    name, message, hint = (str(answer.get(key) or "") for key in ("error", "message", "hint"))
    raise RafikiConnectionError(name, message, hint, response.status_code)


def encode_json(value: Any) -> bytes:
    """JSON, with NumPy arrays as lists and NumPy scalars as numbers."""
    return json.dumps(value, default=_plain).encode()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # arrays and scalars of NumPy, which is not imported for this
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be sent as JSON: {value!r:.80}")


def _without_none(values: Mapping[str, Any]) -> Row:
    return {key: value for key, value in values.items() if value is not None}
