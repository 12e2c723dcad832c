"""The ASGI app that a server mounts. The pages are loaded when somebody first asks for one.

A server that nobody watches so neither waits for the web framework at its start nor keeps it in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

if TYPE_CHECKING:
    from fastapi import FastAPI

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class WebApp:
    """`admin_host` and `admin_port` are where the pages' clients reach the HTTP API; `path` is where it is mounted."""

    def __init__(self, admin_host: str, admin_port: int, path: str = "/web") -> None:
        self._admin = (admin_host, admin_port)
        self._path = path
        self._pages: AsgiApp | None = None
        self._loading = asyncio.Lock()
        self._running = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._pages is None:
            async with self._loading:
                self._pages = self._pages or await self._load()
        if scope["path"] == self._path:
            scope = {**scope, "path": f"{self._path}/", "root_path": self._path}
        await self._pages(scope, receive, send)

    def mount_on(self, app: FastAPI) -> None:
        """Serve the pages there. A mount alone answers only below its path; the path itself is the first page."""
        app.mount(self._path, self)
        app.router.routes.append(Route(self._path, endpoint=self, include_in_schema=False))

    async def _load(self) -> AsgiApp:
        from rafiki.web.pages import make_pages

        pages = make_pages(*self._admin)
        await self._running.enter_async_context(pages.router.lifespan_context(pages))
        return pages

    async def close(self) -> None:
        await self._running.aclose()
