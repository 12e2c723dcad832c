"""Inference jobs: the best trials of a train job, served as one ensemble."""

from __future__ import annotations

import socket
from functools import partial
from typing import Annotated

from starlette.concurrency import run_in_threadpool

from rafiki.entities import LIVE_STATUSES, InferenceJob, TrainJob, User
from rafiki.errors import InvalidTrainJobError
from rafiki.server.access import Caller, Named, guarded_router
from rafiki.server.answers import InferenceJobAnswer, InferenceJobRef, NewInferenceJobAnswer
from rafiki.server.bodies import NewInferenceJob
from rafiki.server.budget import check_inference_budget
from rafiki.server.context import Context, Ctx

router = guarded_router("inference_jobs")


@router.post("/inference_jobs", response_model=NewInferenceJobAnswer)
def create_inference_job(body: NewInferenceJob, caller: Caller, context: Ctx) -> InferenceJob:
    """Deploy the best saved trials of a train job that runs no more."""
    budget = check_inference_budget(body.budget, len(context.settings.gpu_indices))
    train_job = _finished_train_job(context, caller, body.app, body.app_version)
    settings = context.settings
    job = context.store.inference_jobs.create(
        caller.id,
        train_job,
        budget,
        settings.public_host or settings.host,
        settings.predictor_port_range,
        partial(is_port_free, settings.host),
    )
    context.supervisor.wake()
    return job


@router.get("/inference_jobs", response_model=list[InferenceJobAnswer])
def list_inference_jobs(of_user: Annotated[str, Named], context: Ctx, user_id: str | None = None) -> list[InferenceJob]:
    """The inference jobs of a user: your own, or for admins anybody's."""
    return context.store.inference_jobs.list_of_user(of_user)


@router.get("/inference_jobs/{app}", response_model=list[InferenceJobAnswer])
def list_inference_jobs_of_app(app: str, caller: Caller, context: Ctx) -> list[InferenceJob]:
    """Your inference jobs of one app."""
    return context.store.inference_jobs.list_of_app(caller.id, app)


@router.get("/inference_jobs/{app}/{version}", response_model=InferenceJobAnswer)
def get_running_inference_job(app: str, version: str, job: Annotated[InferenceJob, Named]) -> InferenceJob:
    """Your inference job of that app that is STARTED or RUNNING; version -1 is the latest deployed."""
    return job


@router.post("/inference_jobs/{app}/{version}/stop", response_model=InferenceJobRef)
async def stop_inference_job(app: str, version: str, job: Annotated[InferenceJob, Named], context: Ctx) -> InferenceJob:
    """Stop an inference job. When this returns, it is STOPPED and none of its processes is left."""
    await stop(context, job)
    return job


async def stop(context: Context, job: InferenceJob) -> None:
    await run_in_threadpool(context.store.inference_jobs.stop, job.id)
    await context.supervisor.stop_job(job.id)
    context.supervisor.wake()


def is_port_free(host: str, port: int) -> bool:
    """Whether a predictor could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _finished_train_job(context: Context, caller: User, app: str, version: int) -> TrainJob:
    """The train job to deploy; `InvalidTrainJobError` where there is none that can be."""
    job = context.store.train_jobs.get_version(caller.id, app, version)
    if job is None:
        which = "" if version == -1 else f", version {version}"
        raise InvalidTrainJobError(f"there is no train job of app {app!r}{which}", status=404)
    if job.status in LIVE_STATUSES:
        raise InvalidTrainJobError(
            f"version {job.app_version} of app {app!r} is still being trained", "wait until it has stopped, or stop it"
        )
    if not context.store.trials.best(job.id, 1):
        raise InvalidTrainJobError(f"version {job.app_version} of app {app!r} has no saved trial to deploy")
    return job
