"""Bytes from elsewhere to the blobs, and from the blobs to clients: in pieces, never whole in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from rafiki.errors import InvalidDatasetError
from rafiki.store.blobs import BlobWriter

_STEP_BYTES = 2**20
_SILENCE_LIMIT_S = 30.0
_MAX_REDIRECTS = 5


def send_file(path: Path) -> Response:
    """The file as an `application/octet-stream`."""
    file = path.open("rb")

    def read() -> Iterator[bytes]:
        with file:
            while step := file.read(_STEP_BYTES):
                yield step

    size = os.fstat(file.fileno()).st_size
    return StreamingResponse(read(), media_type="application/octet-stream", headers={"Content-Length": str(size)})


async def fetch_url(url: str, writer: BlobWriter, max_bytes: int) -> None:
    """Write what is at an http(s) address; `InvalidDatasetError` says why that failed."""
    import httpx  # here: hardly ever needed, and it takes memory

    # Only http and https are spoken, also after a redirect.
    http = httpx.AsyncClient(follow_redirects=True, max_redirects=_MAX_REDIRECTS, timeout=_SILENCE_LIMIT_S)
    try:
        async with http, http.stream("GET", url) as response:
            if response.status_code != 200:
                raise InvalidDatasetError(f"{url!r:.300} answered with status {response.status_code}")
            n_bytes = 0
            async for step in response.aiter_bytes(_STEP_BYTES):
                n_bytes += len(step)
                if n_bytes > max_bytes:
                    raise InvalidDatasetError(f"{url!r:.300} has more than the {max_bytes} bytes that are taken")
                await run_in_threadpool(writer.write, step)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise InvalidDatasetError(f"{url!r:.300} could not be fetched: {reason}", "it must be http or https") from error
