"""Builders of environments, at an index of the test's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rafiki.environment import BuiltEnvironment, EnvironmentBuilder
from rafiki.settings import Settings
from tests.package_index import PackageIndex


@pytest.fixture(autouse=True)
def no_installer_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installer knows nothing of this machine's own indexes."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "RAFIKI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")


@pytest.fixture
def index(tmp_path: Path) -> PackageIndex:
    return PackageIndex(tmp_path / "index")


@pytest.fixture
def make_settings(tmp_path: Path, index: PackageIndex) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        options = {
            "data_dir": tmp_path / "data",
            "package_index_url": index.url,
            "package_cache_dir": tmp_path / "cache",
            "gpus": 0,
        }
        return Settings(**(options | changes))

    return make


@pytest.fixture
async def builder(make_settings: Callable[..., Settings]) -> AsyncIterator[EnvironmentBuilder]:
    one = EnvironmentBuilder(make_settings())
    yield one
    await one.close()


class Told:
    """What a build told of its progress."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, text: str) -> None:
        self.texts.append(text)


Build = Callable[..., Awaitable[BuiltEnvironment]]


@pytest.fixture
def build(builder: EnvironmentBuilder) -> Build:
    async def run(dependencies: Mapping[str, str] | None = None, told: Told | None = None) -> BuiltEnvironment:
        return await builder.build(dependencies, told or Told())

    return run
