"""The one error that calls of the client raise for what a server refuses, or when none answers."""

from __future__ import annotations

from typing import Any

#: Nobody was there: the request did not go out.
SERVER_UNREACHABLE = "ServerUnreachableError"
#: The request went out, and the connection broke before an answer came: it may have been carried out, or not.
CONNECTION_LOST = "ConnectionLostError"
#: No answer came in time.
ANSWER_TIMEOUT = "AnswerTimeoutError"
#: What answered is not Rafiki.
INVALID_ANSWER = "InvalidAnswerError"

_AWAY = (502, 503, 504)  # of the server, or of a proxy before one that is starting


class RafikiConnectionError(ConnectionError):
    """The server refused a call, or none answered.

    `name` is the error's name as in the HTTP answer (`InvalidTrainJobError`, ...), or, where there was no answer,
    `ServerUnreachableError` (nothing was sent), `ConnectionLostError` (it was, and may have been carried out) or
    `AnswerTimeoutError`. `message` says what was wrong, `hint` what right looks like ('' where there is none),
    `status` is the HTTP status (None where there was no answer). The text holds name, message and hint.
    """

    def __init__(self, name: str, message: str, hint: str = "", status: int | None = None) -> None:
        super().__init__(f"{name}: {message}" + (f" ({hint})" if hint else ""))
        self.name = name
        self.message = message
        self.hint = hint
        self.status = status

    @property
    def is_outage(self) -> bool:
        """Whether asking again later may well succeed: nobody was there, the connection broke, or it was busy."""
        return self.name in (SERVER_UNREACHABLE, CONNECTION_LOST) or self.status in _AWAY

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.message, self.hint, self.status)


def unreachable(url: str, why: str) -> RafikiConnectionError:
    hint = "start a server with `rafiki serve`, or name another by RAFIKI_ADDR and ADMIN_EXT_PORT"
    return RafikiConnectionError(SERVER_UNREACHABLE, f"the server at {_origin(url)} cannot be reached: {why}", hint)


def connection_lost(url: str, why: str) -> RafikiConnectionError:
    message = f"the connection to {_origin(url)} broke before an answer came: {why}"
    return RafikiConnectionError(CONNECTION_LOST, message, "what was asked for may have been done, or not")


def _origin(url: str) -> str:
    return "/".join(url.split("/")[:3])
