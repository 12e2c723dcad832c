"""What every route works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from rafiki.executor import Checker
from rafiki.server.auth import Passwords
from rafiki.settings import Settings
from rafiki.store import Store


class Supervision(Protocol):
    """What the routes ask of the supervisor."""

    def wake(self) -> None:
        """Something changed that may need doing. Callable from any thread, at once."""

    async def stop_job(self, job_id: str) -> None:
        """End the processes of a job whose row has ended; when this returns, none is left."""


@dataclass(frozen=True)
class Context:
    settings: Settings
    store: Store
    supervisor: Supervision
    passwords: Passwords
    checker: Checker


def context_of(connection: HTTPConnection) -> Context:
    return cast(Context, connection.app.state.context)


async def _context_of(connection: HTTPConnection) -> Context:
    return context_of(connection)  # FastAPI would run a plain function in a thread


#: Parameter of a route: the context of its app.
Ctx = Annotated[Context, Depends(_context_of)]
