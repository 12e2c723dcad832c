"""Datasets and models."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from rafiki.constants import ModelAccessRight
from rafiki.entities import Dataset, Model
from rafiki.errors import InvalidDatasetError, InvalidModelError, RafikiError
from rafiki.server.access import Caller, Named, guarded_router
from rafiki.server.answers import AvailableModelAnswer, DatasetAnswer, ModelAnswer, ModelRef
from rafiki.server.context import Ctx
from rafiki.server.downloads import fetch_url, send_file
from rafiki.server.openapi import BYTES_RESPONSE, form_body
from rafiki.server.uploads import Form, receive_form

router = guarded_router("catalog")

_ACCESS_RIGHTS = (ModelAccessRight.PUBLIC, ModelAccessRight.PRIVATE)

_DATASET_FORM = form_body(
    ["name", "task"],
    {
        "name": "name of the dataset",
        "task": "its task, which says the file's format",
        "dataset_url": "http or https address that the server fetches, in place of a file",
    },
    "dataset",
)
_MODEL_FORM = form_body(
    ["name", "task", "model_class", "model_file_bytes"],
    {
        "name": "unique among your models",
        "task": "what the model can learn",
        "model_class": "name of the class in the file",
        "dependencies": 'JSON text of an object of names and versions, such as {"scikit-learn": "1.5.0"}',
        "access_right": "PRIVATE (default) or PUBLIC",
        "docker_image": "image to run the model in",
    },
    "model_file_bytes",
)


@router.post("/datasets", response_model=DatasetAnswer, openapi_extra=_DATASET_FORM)
async def create_dataset(request: Request, caller: Caller, context: Ctx) -> Dataset:
    """Upload a dataset, or have the server fetch one. For a built-in task its format is checked."""
    max_bytes = context.settings.max_upload_bytes
    async with receive_form(request, "dataset", context.store.blobs.writer, max_bytes) as form:
        name = _required(form, "name", InvalidDatasetError)
        task = _required(form, "task", InvalidDatasetError)
        url = form.text("dataset_url")
        if form.file is None:
            if url is None:
                raise InvalidDatasetError("the form has neither a file `dataset` nor a `dataset_url`")
            await fetch_url(url, form.open_file(), max_bytes)
        assert form.file is not None
        path = await run_in_threadpool(form.file.flush)
        await context.dataset_checks.check(task, path)
        blob_hash, size_bytes = await run_in_threadpool(form.file.commit)
    create = context.store.catalog.create_dataset
    return await run_in_threadpool(create, caller.id, name, task, blob_hash, size_bytes)


@router.get("/datasets", response_model=list[DatasetAnswer])
def list_datasets(caller: Caller, context: Ctx, task: str | None = None) -> list[Dataset]:
    """Your datasets."""
    return context.store.catalog.list_datasets(caller.id, task)


@router.post("/models", response_model=ModelRef, openapi_extra=_MODEL_FORM)
async def create_model(request: Request, caller: Caller, context: Ctx) -> Model:
    """Submit a model template. It is checked in the background: `GET /models/{model_id}` tells with what outcome."""
    max_bytes = context.settings.max_upload_bytes
    async with receive_form(request, "model_file_bytes", context.store.blobs.writer, max_bytes) as form:
        name = _required(form, "name", InvalidModelError)
        task = _required(form, "task", InvalidModelError)
        model_class = _required(form, "model_class", InvalidModelError)
        if not model_class.isidentifier():
            raise InvalidModelError(f"model_class is {model_class!r}, which cannot be the name of a class")
        dependencies = _dependencies(form.text("dependencies"))
        access_right = form.text("access_right") or ModelAccessRight.PRIVATE
        if access_right not in _ACCESS_RIGHTS:
            raise InvalidModelError(f"access_right is {access_right!r}, expected one of {', '.join(_ACCESS_RIGHTS)}")
        if form.file is None:
            raise InvalidModelError("the form has no file `model_file_bytes`")
        source_hash, n_bytes = await run_in_threadpool(form.file.commit)
    if n_bytes == 0:
        raise InvalidModelError("the file `model_file_bytes` is empty")
    create = context.store.catalog.create_model
    details = (dependencies, access_right, form.text("docker_image"), source_hash)
    model = await run_in_threadpool(create, caller.id, name, task, model_class, *details)
    context.supervisor.wake()
    return model


@router.get("/models", response_model=list[ModelAnswer])
def list_models(caller: Caller, context: Ctx, task: str | None = None) -> list[Model]:
    """Your models, with what their checks found."""
    return context.store.catalog.list_models(caller.id, task)


@router.get("/models/available", response_model=list[AvailableModelAnswer])
def list_available_models(caller: Caller, context: Ctx, task: str | None = None) -> list[Model]:
    """The models that you may use: public ones and your own, without INVALID ones."""
    return context.store.catalog.list_available_models(caller.id, task)


@router.get("/models/{model_id}", response_model=ModelAnswer)
def get_model(model_id: str, model: Annotated[Model, Named]) -> Model:
    """One model. For its owner and admins."""
    return model


@router.get("/models/{model_id}/model_file", response_class=Response, responses=BYTES_RESPONSE)
def get_model_file(model_id: str, model: Annotated[Model, Named], context: Ctx) -> Response:
    """The model's file. For its owner and admins."""
    return send_file(context.store.blobs.path(model.source_hash))


@router.delete("/models/{model_id}", response_model=ModelRef)
def delete_model(model_id: str, model: Annotated[Model, Named], context: Ctx) -> Model:
    """Delete a model that no train job uses. For its owner and admins."""
    if not context.store.catalog.delete_model(model.id):
        raise InvalidModelError(f"there is no model {model_id!r}", status=404)
    return model


def _required(form: Form, field: str, error: type[RafikiError]) -> str:
    text = form.text(field)
    if text is None:
        raise error(f"the form has no `{field}`")
    return text


def _dependencies(text: str | None) -> dict[str, str]:
    try:
        dependencies = json.loads(text or "null")
    except (ValueError, RecursionError) as error:
        raise InvalidModelError(f"dependencies is not JSON: {error}") from error
    if dependencies is None:
        return {}
    if not isinstance(dependencies, dict):
        raise InvalidModelError(f"dependencies is {text!r:.200}, expected a JSON object of names and versions")
    for name, version in dependencies.items():
        if not name or not isinstance(version, str) or not version:
            raise InvalidModelError(
                f"the version of dependency {name!r} is {version!r:.100}", 'expected a text such as "1.5.0"'
            )
    return dependencies
