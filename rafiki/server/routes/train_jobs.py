"""Train jobs: an app's versions."""

from __future__ import annotations

import secrets
from typing import Annotated

from starlette.concurrency import run_in_threadpool

from rafiki.constants import DatasetStatus, ModelAccessRight
from rafiki.entities import LIVE_STATUSES, TrainJob, User
from rafiki.errors import InvalidDatasetError, InvalidModelError, InvalidTrainJobError, NoModelsForTrainJobError
from rafiki.server.access import Caller, Named, check_may_limit, guarded_router
from rafiki.server.answers import TrainJobAnswer, TrainJobRef
from rafiki.server.bodies import NewTrainJob
from rafiki.server.budget import check_train_budget
from rafiki.server.context import Context, Ctx
from rafiki.server.limits import check_limits
from rafiki.tasks import CustomTask, get_task

router = guarded_router("train_jobs")


@router.post("/train_jobs", response_model=TrainJobRef)
def create_train_job(body: NewTrainJob, caller: Caller, context: Ctx) -> TrainJob:
    """Train models over their knobs, on your datasets, within a budget. It is the app's next version.

    Without `val_dataset_id` the platform splits the one dataset (stratified, seeded) into 70 % for training, 15 % for
    validation, and 15 % that no trial sees, on which the deployed ensemble is scored.

    Admins may set what each of the job's trials may use (`limits`), more or less than the settings say.
    """
    _check_app(body.app)
    budget = check_train_budget(body.budget, len(context.settings.gpu_indices))
    if body.limits not in (None, {}):
        check_may_limit(caller)
    limits = check_limits(body.limits)
    if body.train_args is not None and not isinstance(body.train_args, dict):
        raise InvalidTrainJobError(f"train_args is {body.train_args!r:.100}, expected an object")
    _check_dataset(context, caller, body.train_dataset_id, body.task)
    if body.val_dataset_id is not None:
        _check_dataset(context, caller, body.val_dataset_id, body.task)
    elif isinstance(get_task(body.task), CustomTask):
        message = f"val_dataset_id is missing: the platform cannot split a dataset of the custom task {body.task!r}"
        raise InvalidDatasetError(message, "give a dataset for validation too")
    model_ids = list(dict.fromkeys(body.model_ids or ()))
    if not model_ids:
        raise NoModelsForTrainJobError(f"no models are given for app {body.app!r}", "name at least one in model_ids")
    for model_id in model_ids:
        _check_model(context, caller, model_id, body.task)
    job = context.store.train_jobs.create(
        user_id=caller.id,
        app=body.app,
        task=body.task,
        train_dataset_id=body.train_dataset_id,
        val_dataset_id=body.val_dataset_id,
        budget=budget,
        train_args=body.train_args,
        model_ids=model_ids,
        seed=secrets.randbelow(2**31),
        limits=limits,
    )
    context.supervisor.wake()
    return job


@router.get("/train_jobs", response_model=list[TrainJobAnswer])
def list_train_jobs(of_user: Annotated[str, Named], context: Ctx, user_id: str | None = None) -> list[TrainJob]:
    """The train jobs of a user: your own, or for admins anybody's."""
    return context.store.train_jobs.list_of_user(of_user)


@router.get("/train_jobs/{app}", response_model=list[TrainJobAnswer])
def list_train_jobs_of_app(app: str, caller: Caller, context: Ctx) -> list[TrainJob]:
    """Your train jobs of one app."""
    return context.store.train_jobs.list_of_app(caller.id, app)


@router.get("/train_jobs/{app}/{version}", response_model=TrainJobAnswer)
def get_train_job(app: str, version: str, job: Annotated[TrainJob, Named]) -> TrainJob:
    """One train job of yours; version -1 is the latest."""
    return job


@router.post("/train_jobs/{app}/{version}/stop", response_model=TrainJobRef)
async def stop_train_job(app: str, version: str, job: Annotated[TrainJob, Named], context: Ctx) -> TrainJob:
    """Stop a train job. When this returns, it is STOPPED and none of its processes is left."""
    await stop(context, job)
    return job


@router.delete("/train_jobs/{app}/{version}", response_model=TrainJobRef)
async def delete_train_job(
    app: str, version: str, job: Annotated[TrainJob, Named], context: Ctx, user_id: str | None = None
) -> TrainJob:
    """Delete a train job that has ended and is not deployed, with its trials, their logs and their parameters.

    For its owner, and for admins, who name the owner in `user_id`.
    """
    if job.status not in LIVE_STATUSES:
        await context.supervisor.stop_job(job.id)  # its runner may still be about to exit
    await run_in_threadpool(_delete, context, job)
    return job


def _delete(context: Context, job: TrainJob) -> None:
    hashes = context.store.train_jobs.delete(job.id)
    if hashes is None:
        raise InvalidTrainJobError(f"version {job.app_version} of app {job.app!r} was deleted already", status=404)
    context.store.delete_unused_blobs(hashes)
    (context.settings.logs_dir / f"{job.id}.log").unlink(missing_ok=True)


async def stop(context: Context, job: TrainJob) -> None:
    await run_in_threadpool(context.store.train_jobs.stop, job.id)
    await context.supervisor.stop_job(job.id)
    context.supervisor.wake()


def _check_app(app: str) -> None:
    """The app's name is a part of addresses."""
    if "/" in app or app in (".", ".."):
        raise InvalidTrainJobError(f"an app cannot be named {app!r}", "leave out the slash; '.' and '..' are taken")


def _check_dataset(context: Context, caller: User, dataset_id: str, task: str) -> None:
    dataset = context.store.catalog.get_dataset(dataset_id)
    if dataset is None or dataset.user_id != caller.id:
        raise InvalidDatasetError(f"you have no dataset {dataset_id!r}", status=404)
    if dataset.status == DatasetStatus.INVALID and dataset.error is not None:
        raise InvalidDatasetError(f"dataset {dataset.name!r} is INVALID: {dataset.error.message}", dataset.error.hint)
    if dataset.task != task:
        raise InvalidDatasetError(f"dataset {dataset.name!r} is of task {dataset.task!r}, the job is of {task!r}")


def _check_model(context: Context, caller: User, model_id: str, task: str) -> None:
    model = context.store.catalog.get_model(model_id)
    if model is None or not (model.user_id == caller.id or model.access_right == ModelAccessRight.PUBLIC):
        raise InvalidModelError(f"there is no model {model_id!r} for you", status=404)
    if model.task != task:
        raise InvalidModelError(f"model {model.name!r} is of task {model.task!r}, the job is of {task!r}")
