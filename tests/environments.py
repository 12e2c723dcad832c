"""Environments of models, for tests that have no server to build them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from rafiki.environment import BuiltEnvironment, EnvironmentBuilder
from rafiki.settings import Settings


def build_environment(settings: Settings, dependencies: Mapping[str, str] | None = None) -> BuiltEnvironment:
    """In a thread, so that a test with an event loop of its own can call it, too."""

    async def build() -> BuiltEnvironment:
        async def ignore(progress: str) -> None:
            pass

        return await EnvironmentBuilder(settings).build(dependencies, ignore)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, build()).result()
