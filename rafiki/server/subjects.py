"""What an address names: found for those who may know of it, the same error for all others."""

from __future__ import annotations

from fastapi import Request

from rafiki.constants import ModelAccessRight, UserType
from rafiki.entities import Dataset, InferenceJob, Model, TrainJob, Trial, User
from rafiki.errors import (
    InvalidDatasetError,
    InvalidModelError,
    InvalidRunningInferenceJobError,
    InvalidTrainJobError,
    InvalidTrialError,
    InvalidUserError,
    UnauthorizedError,
)
from rafiki.server.context import Context

_MAX_VERSION = 2**31 - 1


def _is_admin(user: User) -> bool:
    return user.user_type in (UserType.SUPERADMIN, UserType.ADMIN)


def own_model(context: Context, caller: User, request: Request) -> Model:
    """The model, for its owner and admins."""
    model = context.store.catalog.get_model(request.path_params["model_id"])
    if model is not None and (model.user_id == caller.id or _is_admin(caller)):
        return model
    if model is not None and model.access_right == ModelAccessRight.PUBLIC:
        raise UnauthorizedError("only the model's owner and admins may do this", status=403)
    raise InvalidModelError(f"there is no model {request.path_params['model_id']!r}", status=404)


def own_dataset(context: Context, caller: User, request: Request) -> Dataset:
    """The dataset, for its owner and admins."""
    dataset = context.store.catalog.get_dataset(request.path_params["dataset_id"])
    if dataset is None or not (dataset.user_id == caller.id or _is_admin(caller)):
        raise InvalidDatasetError(f"there is no dataset {request.path_params['dataset_id']!r}", status=404)
    return dataset


def own_user(context: Context, caller: User, request: Request) -> User:
    """The user that the address names: the caller (also as `me`), or for admins anybody."""
    user_id = request.path_params["user_id"]
    if user_id in ("me", caller.id):
        return caller
    if not _is_admin(caller):
        raise UnauthorizedError("only admins may see this of others", status=403)
    user = context.store.users.get(user_id)
    if user is None:
        raise InvalidUserError(f"there is no user {user_id!r}", status=404)
    return user


def own_trial(context: Context, caller: User, request: Request) -> Trial:
    """The trial, for its job's owner and admins."""
    trial = context.store.trials.get(request.path_params["trial_id"])
    job = None if trial is None else context.store.train_jobs.get(trial.job_id)
    if trial is None or job is None or not (job.user_id == caller.id or _is_admin(caller)):
        raise InvalidTrialError(f"there is no trial {request.path_params['trial_id']!r}")
    return trial


def user_id_of_list(context: Context, caller: User, request: Request) -> str:
    """Whose jobs are asked for: the caller's own, or for admins anybody's."""
    user_id = request.query_params.get("user_id") or caller.id
    if user_id != caller.id and not _is_admin(caller):
        raise UnauthorizedError("only admins may see the jobs of others", status=403)
    return user_id


def own_train_job_if_any(context: Context, caller: User, request: Request) -> TrainJob | None:
    """The caller's train job of that app and version (-1 is the latest)."""
    version = _version(request)
    if version is None:
        return None
    return context.store.train_jobs.get_version(caller.id, request.path_params["app"], version)


def own_train_job(context: Context, caller: User, request: Request) -> TrainJob:
    job = own_train_job_if_any(context, caller, request)
    if job is None:
        raise InvalidTrainJobError(f"there is no train job of {_app_version(request)}", status=404)
    return job


def train_job_of_anyone(context: Context, caller: User, request: Request) -> TrainJob:
    """The caller's train job of that app and version, or for admins that of the query parameter `user_id`."""
    user_id, version = user_id_of_list(context, caller, request), _version(request)
    app = request.path_params["app"]
    job = None if version is None else context.store.train_jobs.get_version(user_id, app, version)
    if job is None:
        raise InvalidTrainJobError(f"there is no train job of {_app_version(request)}", status=404)
    return job


def own_live_inference_job(context: Context, caller: User, request: Request) -> InferenceJob:
    """The caller's inference job of that app and version (-1 is the latest deployed) that is STARTED or RUNNING."""
    version = _version(request)
    app = request.path_params["app"]
    job = None if version is None else context.store.inference_jobs.get_live(caller.id, app, version)
    if job is None:
        raise InvalidRunningInferenceJobError(f"there is no running inference job of {_app_version(request)}")
    return job


def _version(request: Request) -> int | None:
    """The version that the address names: -1 or from 1; `None` where it can be none."""
    text = request.path_params["version"]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        return None
    version = int(text)
    return version if version == -1 or 1 <= version <= _MAX_VERSION else None


def _app_version(request: Request) -> str:
    version = request.path_params["version"]
    return f"app {request.path_params['app']!r}" + ("" if version == "-1" else f", version {version!r}")
