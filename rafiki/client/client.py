"""`Client`: every call of the HTTP API as a method."""

from __future__ import annotations

from typing import Any

from rafiki.client.inference_jobs import InferenceJobs
from rafiki.client.train_jobs import TrainJobs
from rafiki.client.users import Users


class Client(Users, TrainJobs, InferenceJobs):
    """A client of one Rafiki server.

    Methods answer the decoded JSON of the HTTP call of the same name unless they say otherwise, and raise
    `RafikiConnectionError` when the server refuses or does not answer. A client can be shared by threads.

    `admin_host` and `admin_port`: where the server is; by default what `RAFIKI_ADDR` and `ADMIN_EXT_PORT` say when
    the client is made, else localhost and 3000.
    """

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        user = f"signed in as {self._user['user_type']} {self._user['id']}" if self._user else "not signed in"
        return f"<Client of {self.address}, {user}>"
