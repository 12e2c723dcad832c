"""What concerns the platform as a whole."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from rafiki import __version__
from rafiki.server.access import guarded_router
from rafiki.server.answers import StoppedJobsAnswer
from rafiki.server.context import Ctx
from rafiki.server.openapi import describe
from rafiki.server.routes import inference_jobs, train_jobs

router = guarded_router("platform")

_TEXT_RESPONSE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/", response_class=Response, responses=_TEXT_RESPONSE)
def say_up() -> Response:
    """A line of text: the server is up."""
    return Response(f"Rafiki {__version__} is up.\n", headers={"Content-Type": "text/plain"})


@router.get("/openapi.json")
def get_openapi_document(request: Request) -> dict[str, Any]:
    """This description."""
    return describe(request.app)


@router.post("/actions/stop_all_jobs", response_model=StoppedJobsAnswer)
async def stop_all_jobs(context: Ctx) -> Any:
    """Stop every train and inference job of every user."""
    trained = await run_in_threadpool(context.store.train_jobs.list_live)
    served = await run_in_threadpool(context.store.inference_jobs.list_live)
    await asyncio.gather(
        *(train_jobs.stop(context, job) for job in trained), *(inference_jobs.stop(context, job) for job in served)
    )
    return {"train_jobs": trained, "inference_jobs": served}
