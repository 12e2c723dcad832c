"""What models run in."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool

from rafiki.environment import EnvironmentFolder, EnvironmentInfo
from rafiki.errors import EnvironmentUsedError, NotFoundError
from rafiki.server.access import guarded_router
from rafiki.server.answers import EnvironmentAnswer, EnvironmentRef
from rafiki.server.context import Ctx

router = guarded_router("environments")


@router.get("/environments", response_model=list[EnvironmentAnswer])
def list_environments(context: Ctx) -> list[dict[str, Any]]:
    """The environments that are built, the most recently used first."""
    n_models = context.store.catalog.n_models_by_environment()
    in_use = set(context.store.catalog.environments_in_use())
    return [_answer(info, n_models.get(info.address, 0), info.address in in_use) for info in _folder(context).list()]


@router.delete("/environments/{environment_id}", response_model=EnvironmentRef)
async def delete_environment(environment_id: str, context: Ctx) -> dict[str, str]:
    """Remove an environment that nothing uses at the moment. Where a model needs it again, it is built again."""
    folder = _folder(context)
    if environment_id not in {info.address for info in await run_in_threadpool(folder.list)}:
        raise NotFoundError(f"there is no environment {environment_id!r}")
    async with folder.locked(environment_id):
        if environment_id in await run_in_threadpool(context.store.catalog.environments_in_use):
            raise EnvironmentUsedError(
                f"environment {environment_id} is used by a running job, or by a model that is being checked"
            )
        await run_in_threadpool(folder.remove, environment_id)
    return {"id": environment_id}


def _folder(context: Ctx) -> EnvironmentFolder:
    return EnvironmentFolder(context.settings.environments_dir)


def _answer(info: EnvironmentInfo, n_models: int, is_in_use: bool) -> dict[str, Any]:
    return {
        "id": info.address,
        "python": info.basis.python,
        "is_gpu": info.basis.is_gpu,
        "packages": info.packages,
        "n_models": n_models,
        "is_in_use": is_in_use,
        "size_bytes": info.size_bytes,
        "own_bytes": info.own_bytes,
        "datetime_created": info.datetime_created,
        "datetime_last_used": info.datetime_last_used,
    }
