"""Checks of uploaded models, in the background: the environment is made, and a worker in it looks at the class.

Nobody but a worker ever imports a template. What it finds ends as the model's row: `READY` with the knob config as
JSON, or `INVALID` with the sentence that says which rule is broken.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable

from rafiki.constants import ModelStatus
from rafiki.entities import Failure, FailureCode, Model
from rafiki.environment import resolve_environment
from rafiki.errors import EnvironmentBuildError
from rafiki.executor import CallFailed, LocalExecutor, WorkerDied, WorkerSpec
from rafiki.settings import Settings
from rafiki.store import Store
from rafiki.worker.frames import Inspect, Inspected

logger = logging.getLogger("rafiki.supervisor")

#: Checks under way at a time: an import of a big framework keeps a core busy.
MAX_PARALLEL_CHECKS = 2


class ModelChecks:
    """Takes up every model that is `CHECKING`. `on_checked` is called after each that no longer is."""

    def __init__(self, settings: Settings, store: Store, on_checked: Callable[[], None]) -> None:
        self._settings = settings
        self._store = store
        self._on_checked = on_checked
        self._executor = LocalExecutor()
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
                found = await self._inspect(model)
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

    async def _inspect(self, model: Model) -> tuple[str, list[str]] | Failure:
        """The model's knob config as JSON text, and warnings; or what is wrong with it."""
        try:
            environment, warnings = await asyncio.to_thread(resolve_environment, self._settings, model.dependencies)
        except EnvironmentBuildError as error:
            return Failure(FailureCode.MISSING_DEPENDENCY, error.message, error.hint)
        scratch_dir = self._settings.scratch_dir / f"check-{model.id}"
        shutil.rmtree(scratch_dir, ignore_errors=True)
        scratch_dir.mkdir(parents=True)
        spec = WorkerSpec(
            worker_id=f"check-{model.id}",
            environment=environment,
            model_path=self._store.blobs.path(model.source_hash),
            model_class=model.model_class,
            scratch_dir=scratch_dir,
            cache_dir=None,
        )
        limit_s = self._settings.model_check_time_limit_s
        worker = await self._executor.start(spec)
        try:
            reply = await worker.call(Inspect(), timeout_s=limit_s)
            assert isinstance(reply, Inspected)
            return reply.knob_config, [*warnings, *reply.warnings]
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
        finally:
            worker.kill()
            await worker.exited
            shutil.rmtree(scratch_dir, ignore_errors=True)
