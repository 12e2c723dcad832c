"""How requests go out: by httpx, blocking or asynchronously. Nothing else here knows how HTTP is spoken."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rafiki.client.connection import Connection, Effect, Request
from rafiki.client.errors import ANSWER_TIMEOUT, RafikiConnectionError, connection_lost, unreachable
from rafiki.client.steps import Download, Pause, Steps, Upload

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
_Write = Callable[[bytes], Any]

_CONNECT_LIMIT_S = 10.0
# Servers drop a connection that was idle for some seconds (uvicorn: 5); ours are dropped before.
_IDLE_CONNECTION_S = 2.0
# A proxy that the environment names is not meant for this machine's own addresses.
_NEVER_PROXIED = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class BlockingConnection(Connection):
    """Carries out effects in the thread that calls. It can be shared by threads."""

    _http: httpx.Client | None = None

    def close(self) -> None:
        """Closes the connections that are kept open; the client remains usable."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _run(self, steps: Steps[T]) -> T:
        with closing(self._effects(steps)) as effects:
            resume: Callable[[], Effect] = partial(next, effects)
            while True:
                try:
                    effect = resume()
                except StopIteration as end:
                    result: T = end.value
                    return result
                try:
                    answer = self._carry_out(effect)
                except RafikiConnectionError as error:
                    resume = partial(effects.throw, error)
                else:
                    resume = partial(effects.send, answer)

    def _carry_out(self, effect: Effect) -> httpx.Response | None:
        if isinstance(effect, Pause):
            self.polling.sleep(effect.seconds)
            return None
        import httpx

        http = self._http = self._http or httpx.Client(**_http_options(self.address))
        with _sending(effect) as arguments, http.stream(**arguments) as response:
            with _saving(effect.download, response) as write:
                if write is None:
                    response.read()
                else:
                    for chunk in response.iter_bytes():
                        write(chunk)
            return response


class AsyncConnection(Connection):
    """Carries out effects in the event loop that runs; it belongs to that one from the first call on."""

    _http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Closes the connections that are kept open; the client remains usable."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _run(self, steps: Steps[T]) -> T:
        with closing(self._effects(steps)) as effects:
            resume: Callable[[], Effect] = partial(next, effects)
            while True:
                try:
                    effect = resume()
                except StopIteration as end:
                    result: T = end.value
                    return result
                try:
                    answer = await self._carry_out(effect)
                except RafikiConnectionError as error:
                    resume = partial(effects.throw, error)
                else:
                    resume = partial(effects.send, answer)

    async def _carry_out(self, effect: Effect) -> httpx.Response | None:
        if isinstance(effect, Pause):
            await self.polling.sleep(effect.seconds)
            return None
        import httpx

        http = self._http = self._http or httpx.AsyncClient(**_http_options(self.address))
        with _sending(effect) as arguments:
            async with http.stream(**arguments) as response:
                with _saving(effect.download, response) as write:
                    if write is None:
                        await response.aread()
                    else:
                        async for chunk in response.aiter_bytes():
                            write(chunk)
                return response


def _http_options(address: str) -> dict[str, Any]:
    import ssl  # both here, so that importing the client takes no 0.1 s

    import httpx

    # Where plain HTTP alone is spoken, a context without certificates trusts nobody and saves reading them (80 ms).
    is_plain = address.startswith("http:")
    return {
        "timeout": httpx.Timeout(None, connect=_CONNECT_LIMIT_S),
        "limits": httpx.Limits(keepalive_expiry=_IDLE_CONNECTION_S),
        "mounts": dict.fromkeys(_NEVER_PROXIED),
        "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else ssl.create_default_context(),
    }


@contextmanager
def _sending(request: Request) -> Iterator[dict[str, Any]]:
    """The arguments of httpx for a request, with the file that goes out open; what goes wrong is an error of ours."""
    import httpx

    upload = request.upload
    with _WatchedFile(upload) if upload else nullcontext() as file:
        arguments: dict[str, Any] = {
            "method": request.method,
            "url": request.url,
            "params": request.params,
            "headers": request.headers,
            "content": request.content,
            "data": request.form,
            "files": {upload.field: (upload.file_name, file, "application/octet-stream")} if upload else None,
            "timeout": httpx.Timeout(request.answer_limit_s, connect=_CONNECT_LIMIT_S),
        }
        try:
            yield arguments
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise unreachable(request.url, str(error) or "no connection in time") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise unreachable(request.url, str(error)) from error
        except httpx.TimeoutException as error:
            message = f"{request.url} gave no answer within {request.answer_limit_s:g} s"
            raise RafikiConnectionError(ANSWER_TIMEOUT, message) from error
        except httpx.RequestError as error:
            raise connection_lost(request.url, str(error)) from error


class _WatchedFile(io.FileIO):
    """A file that says how much of it has been read."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(upload.path)
        self._progress = upload.progress
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._progress is not None and data:
            self._progress(self.tell(), self._size)
        return data


@contextmanager
def _saving(download: Download | None, response: httpx.Response) -> Iterator[_Write | None]:
    """What to call with the bytes of an answer that goes to a file; None for others, refusals among them.

    The file is there only once it is complete.
    """
    if download is None or response.status_code != 200:
        yield None
        return
    partial_path = download.path.with_name(f".{download.path.name}.part")
    n_all = int(response.headers.get("Content-Length") or 0)
    try:
        with partial_path.open("wb") as file:

            def write(chunk: bytes) -> None:
                file.write(chunk)
                if download.progress is not None:
                    download.progress(file.tell(), n_all)

            yield write
        partial_path.replace(download.path)
    finally:
        Path(partial_path).unlink(missing_ok=True)
