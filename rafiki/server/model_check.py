"""Checks of uploaded models, in the background: the environment is made, and a worker in it looks at the class.

Nobody but a worker ever imports a template. What it finds ends as the model's row: `READY` with the knob config as
JSON, or `INVALID` with the sentence that says which rule is broken. A model of a built-in task is also taken through
one small trial on generated data; what goes wrong there is a warning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rafiki.constants import ModelStatus
from rafiki.entities import Failure, FailureCode, Model
from rafiki.environment import BuiltEnvironment, EnvironmentBuilder, find_environment
from rafiki.environment.image import Images
from rafiki.errors import EnvironmentBuildError
from rafiki.executor import Allowance, CallFailed, PlatformExecutor, Worker, WorkerDied, WorkerSpec
from rafiki.executor.scratch import remove_folder
from rafiki.model import deserialize_knob_config
from rafiki.server.model_tryout import try_out
from rafiki.settings import Settings
from rafiki.store import Store
from rafiki.worker.frames import Inspect, Inspected

logger = logging.getLogger("rafiki.supervisor")

#: Checks under way at a time: an import of a big framework keeps a core busy.
MAX_PARALLEL_CHECKS = 2


class ModelChecks:
    """Takes up every model that is `CHECKING`. `on_checked` is called after each that no longer is."""

    def __init__(
        self, settings: Settings, store: Store, environments: EnvironmentBuilder, on_checked: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._store = store
        self._environments = environments
        self._on_checked = on_checked
        self._executor = PlatformExecutor(settings)
        self._free = asyncio.Semaphore(MAX_PARALLEL_CHECKS)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def take_up(self) -> None:
        """Start the check of every model that needs one and has none yet."""
        for model in await asyncio.to_thread(self._store.catalog.models_in_status, ModelStatus.CHECKING):
            if model.id not in self._tasks:
                self._tasks[model.id] = asyncio.create_task(self._check(model), name=f"check of model {model.id}")

    async def close(self) -> None:
        """Give up the checks under way; the next start takes them up again."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        await self._executor.close()

    async def _check(self, model: Model) -> None:
        catalog = self._store.catalog
        try:
            async with self._free:
                found = await self._find(model)
            if isinstance(found, Failure):
                await asyncio.to_thread(catalog.set_model_invalid, model.id, found)
            else:
                knob_config, warnings = found
                await asyncio.to_thread(catalog.set_model_ready, model.id, knob_config, warnings)
            self._on_checked()
        except Exception:  # a fault of ours must not leave the model CHECKING for ever
            logger.exception("the check of model %s failed", model.id)
            failure = Failure(FailureCode.INTERNAL, "The platform could not check this model.", "Upload it again.")
            await asyncio.to_thread(catalog.set_model_invalid, model.id, failure)
            self._on_checked()
        finally:
            self._tasks.pop(model.id, None)

    async def _find(self, model: Model) -> tuple[str, list[str]] | Failure:
        """The model's knob config as JSON text, and warnings; or what is wrong with it."""
        try:
            built = await self._build(model)
            await asyncio.to_thread(self._store.catalog.set_model_environment, model.id, built.address, built.lock)
            await self._tell(model, "checking the template")
            async with self._worker(model, built) as worker:
                inspected = await self._inspect(worker)
                if isinstance(inspected, Failure):
                    return inspected
                await self._tell(model, "trying it out on generated data")
                examples_dir = _examples_dir(worker.spec.scratch_dir)
                limit_s = self._settings.model_tryout_time_limit_s
                warnings = await try_out(worker, examples_dir, model.task, inspected.knob_config, limit_s)
                return inspected.knob_config, [*_warnings(model), *inspected.warnings, *warnings]
        except EnvironmentBuildError as error:
            return Failure(FailureCode.MISSING_DEPENDENCY, error.message, error.hint)

    async def _build(self, model: Model) -> BuiltEnvironment:
        async def tell(text: str) -> None:
            await self._tell(model, text)

        if model.docker_image is None:
            return await self._environments.build(model.dependencies, tell)
        return await Images(self._settings).find(model.docker_image, tell)

    async def _tell(self, model: Model, progress: str) -> None:
        await asyncio.to_thread(self._store.catalog.set_model_progress, model.id, progress)

    @asynccontextmanager
    async def _worker(self, model: Model, built: BuiltEnvironment) -> AsyncIterator[Worker]:
        """A worker of the model; in the end it and its files are gone."""
        scratch_dir = self._settings.scratch_dir / f"check-{model.id}"
        examples_dir = _examples_dir(scratch_dir)
        for folder in (scratch_dir, examples_dir):
            await asyncio.to_thread(remove_folder, folder)
            folder.mkdir(parents=True)
        try:
            spec = WorkerSpec(
                worker_id=f"check-{model.id}",
                environment=await asyncio.to_thread(find_environment, self._settings, built.address),
                model_path=self._store.blobs.path(model.source_hash),
                model_class=model.model_class,
                scratch_dir=scratch_dir,
                cache_dir=None,
                allowance=Allowance.of(self._settings, model.id, examples_dir),
            )
            worker = await self._executor.start(spec)
            try:
                yield worker
            finally:
                worker.kill()
                await worker.exited
        finally:
            for folder in (scratch_dir, examples_dir):
                await asyncio.to_thread(remove_folder, folder)

    async def _inspect(self, worker: Worker) -> Inspected | Failure:
        limit_s = self._settings.model_check_time_limit_s
        try:
            reply = await worker.call(Inspect(), timeout_s=limit_s)
            assert isinstance(reply, Inspected)
            deserialize_knob_config(reply.knob_config)
            return reply
        except ValueError as error:  # the worker may have sent anything
            return Failure(FailureCode.PROTOCOL, f"The worker answered what is no knob config: {error}")
        except CallFailed as error:
            return error.failure
        except WorkerDied as error:
            return error.failure()
        except TimeoutError:
            return Failure(
                FailureCode.TIME_LIMIT,
                f"Importing the model's file and asking for its knobs took longer than {limit_s:g} s.",
                "Keep long work out of the module's top level and of `get_knob_config`.",
            )


def _warnings(model: Model) -> list[str]:
    if model.docker_image is None or not model.dependencies:
        return []
    return [f"Its dependencies are not installed: it runs in the image {model.docker_image}, which has its own."]


def _examples_dir(scratch_dir: Path) -> Path:
    """Where generated data lies: the worker can read it and not change it, for this process reads it, too."""
    return scratch_dir.with_name(f"{scratch_dir.name}-examples")
