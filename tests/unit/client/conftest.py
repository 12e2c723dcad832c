"""A client of a server that answers as the test says, and time that passes only by sleeping."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rafiki.client import Client, Polling
from tests.fake_admin import Admin, admin

__all__ = ["admin"]


class FakeTime:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.now_s += duration_s


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def client(admin: Admin, fake_time: FakeTime) -> Iterator[Client]:
    with Client("127.0.0.1", admin.port) as client:
        client.polling = Polling(sleep=fake_time.sleep, now=lambda: fake_time.now_s)
        yield client
