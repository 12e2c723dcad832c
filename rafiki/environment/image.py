"""Images that models run in, in place of an environment that is built here."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from rafiki.environment.build import BuiltEnvironment, Progress
from rafiki.environment.engine import ContainerEngine, EngineFailed, find_engine_socket, split_reference
from rafiki.environment.environment import IMAGE_PREFIX, image_of
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings

_N_ID_DIGITS = 40

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?")


class Images:
    """Looks for images, and has the engine fetch those that are not here. All raise `EnvironmentBuildError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def find(self, reference: str, progress: Progress) -> BuiltEnvironment:
        """The image of this name as it is now: later changes of what the name stands for do not change the model."""
        if not _REFERENCE.fullmatch(reference):
            hint = "It is such as rafikiai/rafiki_worker:latest or registry.example.org/team/worker@sha256:..."
            raise EnvironmentBuildError(f"{reference!r} is no name of an image.", hint)
        engine = ContainerEngine(find_engine_socket(self._settings.container_engine))
        try:
            await progress(f"looking for image {reference}")
            found = await engine.image(reference)
            if found is None:
                found = await self._pull(engine, reference, progress)
        except EngineFailed as failed:
            raise _unusable(reference, failed) from failed
        finally:
            await engine.close()
        return _built(reference, found)

    async def restore(self, address: str, lock_text: str | None) -> None:
        """Fetch an image again that is not here any more, where its registry still has that very one."""
        engine = ContainerEngine(find_engine_socket(self._settings.container_engine))
        reference = address
        try:
            if await engine.image(image_of(address) or "") is not None:
                return
            lock = json.loads(lock_text or "{}")
            reference = str(lock.get("image", address))
            digests = [str(digest) for digest in lock.get("digests", ())]
            await self._pull(engine, digests[0] if digests else reference, _untold)
            if await engine.image(image_of(address) or "") is None:
                message = f"The image {reference} is not the one any more that the model was checked in."
                raise EnvironmentBuildError(message, "Upload the model again.")
        except EngineFailed as failed:
            raise _unusable(reference, failed) from failed
        finally:
            await engine.close()

    async def is_here(self, address: str) -> bool:
        """Whether it can be used as things are; `restore` says why not."""
        try:
            engine = ContainerEngine(find_engine_socket(self._settings.container_engine))
        except EnvironmentBuildError:
            return False
        try:
            return await engine.image(image_of(address) or "") is not None
        except EngineFailed:
            return False
        finally:
            await engine.close()

    async def _pull(self, engine: ContainerEngine, reference: str, progress: Progress) -> dict[str, Any]:
        limit_s = self._settings.environment_time_limit_s
        try:
            async with asyncio.timeout(limit_s):
                await progress(f"fetching image {reference}")
                await engine.pull(reference)
        except TimeoutError as error:
            hint = "A larger RAFIKI_ENVIRONMENT_TIME_LIMIT_S gives it more time."
            message = f"Fetching the image {reference} took longer than {limit_s:g} s."
            raise EnvironmentBuildError(message, hint) from error
        except EngineFailed as failed:
            if not failed.status:
                raise
            message = f"There is no image {reference} on the server's machine, and it could not be fetched: {failed}."
            hint = "Check its name; or build, load or pull it on the server's machine, with the engine that it uses."
            raise EnvironmentBuildError(message, hint) from failed
        found = await engine.image(reference)
        if found is None:
            raise EngineFailed(f"the engine has fetched {reference} and does not have it", 404)
        return found


async def _untold(text: str) -> None:
    pass


def _unusable(reference: str, failed: EngineFailed) -> EnvironmentBuildError:
    return EnvironmentBuildError(
        f"The image {reference} cannot be used: {failed}.", "An admin looks after the container engine of the server."
    )


def _built(reference: str, found: dict[str, Any]) -> BuiltEnvironment:
    image_id = str(found.get("Id", "")).removeprefix("sha256:")
    name, tag = split_reference(reference)
    separator = "@" if "@" in reference else ":"
    lock = {
        "image": f"{name}{separator}{tag}",
        "id": f"sha256:{image_id}",
        "digests": found.get("RepoDigests") or [],
    }
    return BuiltEnvironment(IMAGE_PREFIX + image_id[:_N_ID_DIGITS], json.dumps(lock))
