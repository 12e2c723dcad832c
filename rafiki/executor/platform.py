"""The platform's executor: each worker runs where its model's environment says."""

from __future__ import annotations

from rafiki.executor.base import Executor, Worker, WorkerSpec
from rafiki.executor.local import LocalExecutor
from rafiki.settings import Settings


class PlatformExecutor(Executor):
    """Workers of a model with an image run in containers, all others as child processes."""

    def __init__(self, settings: Settings) -> None:
        self._engine = settings.container_engine
        self._local = LocalExecutor(settings.confinement)
        self._container: Executor | None = None

    async def start(self, spec: WorkerSpec) -> Worker:
        if spec.environment.image is None:
            return await self._local.start(spec)
        if self._container is None:
            from rafiki.executor.container import ContainerExecutor  # httpx is not loaded for nothing

            self._container = ContainerExecutor(self._engine)
        return await self._container.start(spec)

    async def close(self) -> None:
        try:
            if self._container is not None:
                await self._container.close()
        finally:
            await self._local.close()
