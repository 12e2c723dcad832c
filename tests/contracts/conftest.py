"""A store of each kind. Another database is another parameter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rafiki.settings import Settings
from rafiki.store import Store
from tests.contracts.store_world import World


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(data_dir=tmp_path / "data", cores=2, gpus=0))
    yield opened
    opened.close()


@pytest.fixture
def world(store: Store) -> World:
    return World(store)
