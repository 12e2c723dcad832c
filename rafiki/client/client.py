"""`Client`: every call of the HTTP API as a method that returns when the answer is there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rafiki.client.catalog import Catalog
from rafiki.client.environments import Environments
from rafiki.client.errors import RafikiConnectionError
from rafiki.client.inference_jobs import InferenceJobs
from rafiki.client.steps import Call, Retry, Step
from rafiki.client.train_jobs import TrainJobs
from rafiki.client.transport import BlockingConnection
from rafiki.client.trials import Trials
from rafiki.client.users import Users

_UP_LIMIT_S = 10.0


class Client(BlockingConnection, Users, Catalog, Environments, TrainJobs, Trials, InferenceJobs):
    """A client of one Rafiki server.

    Methods answer the decoded JSON of the HTTP call of the same name unless they say otherwise, and raise
    `RafikiConnectionError` when the server refuses or does not answer. What may be repeated (what only asks, what
    stops something) is tried again a few times where nobody answers; what makes something never is. A client can be
    shared by threads; as a context manager it closes its connections at the end.

    `admin_host` is a host, or a URL (`https://rafiki.example.org/prefix`); what is not given of `admin_host` and
    `admin_port` comes from `RAFIKI_ADDR` and `ADMIN_EXT_PORT` when the client is made, else it is localhost and 3000.
    `token` is a long-lived one, in place of `login`; it is taken from `RAFIKI_TOKEN` where it is not given.
    """

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def is_up(self) -> bool:
        """Whether a Rafiki server answers at the address."""
        return self._run(_is_up())


def _is_up() -> Generator[Step, Any, bool]:
    question = Call[Any]("GET", "/", is_signed=False, retry=Retry.NEVER, answer_limit_s=_UP_LIMIT_S)
    try:
        answer = yield from question
    except RafikiConnectionError:
        return False
    return isinstance(answer, str) and "rafiki" in answer.lower()  # and no one else's web server
