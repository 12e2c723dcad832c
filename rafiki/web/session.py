"""Who is signed in, per browser tab: kept in the server's memory, gone with the tab or the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nicegui import app

from rafiki.client import Client

P = ParamSpec("P")
T = TypeVar("T")


class Session:
    """One tab's client. Calls of the client block, so they run in threads."""

    def __init__(self, client: Client, email: str) -> None:
        self.client = client
        self.email = email

    async def call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises `RafikiConnectionError` as the client does."""
        return await asyncio.to_thread(method, *args, **kwargs)

    @property
    def user_id(self) -> str:
        user = self.client.get_current_user()
        return str(user["id"]) if user else ""


def current() -> Session | None:
    """The session of this tab; the page must be connected."""
    session = app.storage.tab.get("session")
    return session if isinstance(session, Session) else None


async def sign_in(admin_host: str, admin_port: int, email: str, password: str) -> Session:
    client = Client(admin_host, admin_port)
    session = Session(client, email)
    await session.call(client.login, email, password)
    app.storage.tab["session"] = session
    return session


def sign_out() -> None:
    session = current()
    app.storage.tab.pop("session", None)
    if session is not None:
        session.client.close()
