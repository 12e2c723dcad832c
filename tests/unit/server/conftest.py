"""The API in this process, over a real store, with a supervisor that only notes what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from rafiki.server.app import create_app
from rafiki.server.auth import Passwords, hash_token, new_token
from rafiki.settings import Settings
from rafiki.store import Store
from tests.unit.server.api import Api, NotedSupervision, World

PASSWORD = "a password"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", gpus=1, max_upload_bytes=3 * 2**20)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store.open(settings)
    yield store
    store.close()


@pytest.fixture
def supervision() -> NotedSupervision:
    return NotedSupervision()


@pytest.fixture
def app(settings: Settings, store: Store, supervision: NotedSupervision) -> FastAPI:
    return create_app(settings, store, supervision)


@pytest.fixture(scope="session")
def password_hash() -> str:
    return Passwords().hash_now(PASSWORD)


@pytest.fixture
def sign_in(app: FastAPI, store: Store, password_hash: str) -> Callable[..., Api]:
    """A new user of a type, signed in."""

    def make(user_type: str, email: str | None = None) -> Api:
        email = email or f"{user_type.lower()}@rafiki"
        user = store.users.create(email, password_hash, user_type)
        token = new_token()
        store.users.add_token(user.id, hash_token(token), datetime.now(UTC) + timedelta(hours=1))
        return Api(app, token, user)

    return make


@pytest.fixture
async def nobody(app: FastAPI) -> AsyncIterator[Api]:
    async with Api(app) as api:
        yield api


@pytest.fixture
def superadmin(sign_in: Callable[..., Api]) -> Api:
    return sign_in("SUPERADMIN")


@pytest.fixture
def admin(sign_in: Callable[..., Api]) -> Api:
    return sign_in("ADMIN")


@pytest.fixture
def developer(sign_in: Callable[..., Api]) -> Api:
    return sign_in("MODEL_DEVELOPER")


@pytest.fixture
def app_developer(sign_in: Callable[..., Api]) -> Api:
    return sign_in("APP_DEVELOPER")


@pytest.fixture
def world(store: Store) -> World:
    return World(store)
