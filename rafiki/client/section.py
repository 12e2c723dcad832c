"""What the sections of the client (users, catalog, jobs, trials) are written in terms of."""

from __future__ import annotations

from typing import TypeVar

from rafiki.client.connection import Connection
from rafiki.client.steps import Steps

T = TypeVar("T")


class Section(Connection):
    """Methods of a section say what is done; `_run` does it: at once in `Client`, when awaited in `AsyncClient`.

    Each public method ends in one `_run`, and uses nothing else of itself but what `Connection` has.
    """

    def _run(self, steps: Steps[T]) -> T:
        raise NotImplementedError
