"""How the client talks HTTP: one request, one answer or one `RafikiConnectionError`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from rafiki.client.errors import RafikiConnectionError
from rafiki.client.polling import Polling

if TYPE_CHECKING:
    import httpx

Row = dict[str, Any]

# An answer may take as long as the check of an upload of many gigabytes.
_ANSWER_LIMIT_S = 600.0
_CONNECT_LIMIT_S = 10.0
# Servers drop a connection that was idle for some seconds (uvicorn: 5); ours are dropped before.
_IDLE_CONNECTION_S = 2.0
# A proxy that the environment names is not meant for this machine's own addresses.
_NEVER_PROXIED = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class Connection:
    """The address of a server, who is signed in there, and the calls' common part."""

    def __init__(self, admin_host: str | None = None, admin_port: int | str | None = None) -> None:
        self._host = admin_host or os.environ.get("RAFIKI_ADDR") or "localhost"
        self._port = int(admin_port or os.environ.get("ADMIN_EXT_PORT") or 3000)
        self._http: httpx.Client | None = None
        self._token: str | None = None
        self._user: Row | None = None
        self.polling = Polling()

    @property
    def address(self) -> str:
        """The server's address, such as `http://localhost:3000`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def is_up(self) -> bool:
        """Whether a Rafiki server answers at the address."""
        try:
            answer = self._send("GET", self.address, timeout=_CONNECT_LIMIT_S)
        except RafikiConnectionError:
            return False
        return isinstance(answer, str) and "rafiki" in answer.lower()  # and no one else's web server

    def close(self) -> None:
        """Closes the connections that are kept open; the client remains usable."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Row | None = None,
        body: Row | None = None,
        form: Row | None = None,
        files: dict[str, tuple[str, BinaryIO, str]] | None = None,
    ) -> Any:
        """Sends one request to the Admin; values that are None are left out of `params`, `body` and `form`.

        Answers the decoded JSON, or the bytes of an `application/octet-stream`.
        """
        headers = {}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        content = None
        if body is not None:
            content = encode_json(_without_none(body))
            headers["Content-Type"] = "application/json"
        return self._send(
            method,
            self.address + path,
            params=_without_none(params or {}),
            content=content,
            data=_without_none(form or {}) or None,
            files=files,
            headers=headers,
        )

    def _send(self, method: str, url: str, **request: Any) -> Any:
        import httpx

        http = self._http = self._http or _open_http()
        try:
            response = http.request(method, url, **request)
        except httpx.TimeoutException as error:
            raise _unreachable(url, "gave no answer in time") from error
        except httpx.RequestError as error:
            raise _unreachable(url, f"cannot be reached: {error}") from error
        if response.status_code != 200:
            raise _refusal(response)
        content_type = response.headers.get("Content-Type", "")
        if content_type.startswith("application/octet-stream"):
            return response.content
        if content_type.startswith("text/plain"):
            return response.text
        try:
            return response.json()
        except ValueError as error:
            raise RafikiConnectionError(
                "InvalidAnswerError", f"what answers at {url} is not Rafiki: it sent no JSON", status=200
            ) from error


def part(text: object) -> str:
    """One segment of a path: an app's name may hold any character."""
    return quote(str(text), safe="")


def encode_json(value: Any) -> bytes:
    """JSON, with NumPy arrays as lists and NumPy scalars as numbers."""
    return json.dumps(value, default=_plain).encode()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # arrays and scalars of NumPy, which is not imported for this
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be sent as JSON: {value!r:.80}")


def _without_none(values: Row) -> Row:
    return {key: value for key, value in values.items() if value is not None}


def _open_http() -> httpx.Client:
    import ssl  # both here, so that importing the client takes no 0.1 s

    import httpx

    return httpx.Client(
        timeout=httpx.Timeout(_ANSWER_LIMIT_S, connect=_CONNECT_LIMIT_S),
        limits=httpx.Limits(keepalive_expiry=_IDLE_CONNECTION_S),
        mounts=dict.fromkeys(_NEVER_PROXIED),
        # Plain HTTP alone is spoken: a context without certificates trusts nobody and saves reading them (80 ms).
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )


def _refusal(response: httpx.Response) -> RafikiConnectionError:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "error" not in answer:
        message = f"{response.request.url} answered with status {response.status_code} and no reason"
        return RafikiConnectionError("InvalidAnswerError", message, "is it a Rafiki server?", response.status_code)
    name, message, hint = (str(answer.get(key) or "") for key in ("error", "message", "hint"))
    return RafikiConnectionError(name, message, hint, response.status_code)


def _unreachable(url: str, why: str) -> RafikiConnectionError:
    address = "/".join(url.split("/")[:3])
    hint = "start a server with `rafiki serve`, or name another by RAFIKI_ADDR and ADMIN_EXT_PORT"
    return RafikiConnectionError("ServerUnreachableError", f"the server at {address} {why}", hint)
