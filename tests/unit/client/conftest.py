"""A client of a server that answers as the test says, and time that passes only by sleeping."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from rafiki.client import AsyncClient, Client, Polling
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

    async def async_sleep(self, duration_s: float) -> None:
        self.sleep(duration_s)


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def client(admin: Admin, fake_time: FakeTime) -> Iterator[Client]:
    polling = Polling(sleep=fake_time.sleep, now=lambda: fake_time.now_s)
    with Client("127.0.0.1", admin.port, polling=polling) as client:
        yield client


@pytest.fixture
async def async_client(admin: Admin, fake_time: FakeTime) -> AsyncIterator[AsyncClient]:
    polling = Polling(sleep=fake_time.async_sleep, now=lambda: fake_time.now_s)
    async with AsyncClient("127.0.0.1", admin.port, polling=polling) as client:
        yield client
