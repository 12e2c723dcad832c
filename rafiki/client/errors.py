"""The one error that calls of the client raise for what a server refuses, or when none answers."""

from __future__ import annotations

from typing import Any


class RafikiConnectionError(ConnectionError):
    """The server refused a call, or none answered.

    `name` is the error's name as in the HTTP answer (`InvalidTrainJobError`, ...; `ServerUnreachableError` where
    nobody answered), `message` says what was wrong, `hint` what right looks like ('' where there is none), `status`
    is the HTTP status (None where nobody answered). The text holds name, message and hint.
    """

    def __init__(self, name: str, message: str, hint: str = "", status: int | None = None) -> None:
        super().__init__(f"{name}: {message}" + (f" ({hint})" if hint else ""))
        self.name = name
        self.message = message
        self.hint = hint
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.message, self.hint, self.status)
