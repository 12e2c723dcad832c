"""The environments of a job's models are there before its runner starts: what was removed is built again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from rafiki.environment import EnvironmentBuilder, image_of
from rafiki.environment.image import Images
from rafiki.errors import EnvironmentBuildError
from rafiki.store import Store

logger = logging.getLogger("rafiki.supervisor")


class JobEnvironments:
    """Builds again, from their locks, environments that jobs need, and fetches images again.

    `on_built` is called after each try.
    """

    def __init__(self, store: Store, builder: EnvironmentBuilder, images: Images, on_built: Callable[[], None]) -> None:
        self._store = store
        self._builder = builder
        self._images = images
        self._on_built = on_built
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hopeless: set[str] = set()  # those that could not be built; the models that need them will fail

    async def are_there(self, job_id: str) -> bool:
        """Whether the job's runner can start; else what is missing is being built, and `on_built` tells."""
        addresses = await asyncio.to_thread(self._store.catalog.environments_of_job, job_id)
        missing = [address for address in addresses if not await self._is_there(address)]
        awaited = [address for address in missing if address not in self._hopeless]
        for address in awaited:
            if address not in self._tasks:
                self._tasks[address] = asyncio.create_task(self._build(address), name=f"environment {address}")
        self._hopeless -= set(missing)  # the next job that needs it has another try
        return not awaited

    async def _is_there(self, address: str) -> bool:
        if image_of(address) is None:
            return self._builder.folder.is_built(address)
        return await self._images.is_here(address)

    async def close(self) -> None:
        """Give up what is being built; the next start takes it up again."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _build(self, address: str) -> None:
        try:
            lock = await asyncio.to_thread(self._store.catalog.lock_of_environment, address)
            place = self._builder if image_of(address) is None else self._images
            await place.restore(address, lock)
        except EnvironmentBuildError as error:
            logger.warning("environment %s could not be built again: %s", address, error.message)
            self._hopeless.add(address)
        except Exception:  # a fault of ours must not keep the job from starting for ever
            logger.exception("environment %s could not be built again", address)
            self._hopeless.add(address)
        finally:
            self._tasks.pop(address, None)
            self._on_built()
