"""Models."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from rafiki.constants import ModelAccessRight
from rafiki.entities import Model
from rafiki.errors import InvalidModelError
from rafiki.server.access import Caller, Named, guarded_router
from rafiki.server.answers import AvailableModelAnswer, ModelAnswer, ModelRef
from rafiki.server.context import Ctx
from rafiki.server.downloads import send_file
from rafiki.server.openapi import BYTES_RESPONSE, form_body
from rafiki.server.uploads import receive_form

router = guarded_router("catalog")

_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_ACCESS_RIGHTS = (ModelAccessRight.PUBLIC, ModelAccessRight.PRIVATE)

_MODEL_FORM = form_body(
    ["name", "task", "model_class", "model_file_bytes"],
    {
        "name": "unique among your models, but for versions of one",
        "task": "what the model can learn",
        "model_class": "name of the class in the file",
        "dependencies": 'JSON text of an object of names and versions, such as {"scikit-learn": "1.5.0"}',
        "access_right": "PRIVATE (default) or PUBLIC",
        "docker_image": "image to run the model in",
        "new_version": "true: the next version of your model of that name, where there is one",
    },
    "model_file_bytes",
)


@router.post("/models", response_model=ModelRef, openapi_extra=_MODEL_FORM)
async def create_model(request: Request, caller: Caller, context: Ctx) -> Model:
    """Submit a model template. It is checked in the background: `GET /models/{model_id}` tells with what outcome."""
    max_bytes = context.settings.max_upload_bytes
    async with receive_form(request, "model_file_bytes", context.store.blobs.writer, max_bytes) as form:
        name = form.required("name", InvalidModelError)
        task = form.required("task", InvalidModelError)
        model_class = form.required("model_class", InvalidModelError)
        if not model_class.isidentifier():
            raise InvalidModelError(f"model_class is {model_class!r}, which cannot be the name of a class")
        dependencies = _dependencies(form.text("dependencies"))
        access_right = form.text("access_right") or ModelAccessRight.PRIVATE
        if access_right not in _ACCESS_RIGHTS:
            raise InvalidModelError(f"access_right is {access_right!r}, expected one of {', '.join(_ACCESS_RIGHTS)}")
        is_new_version = _flag("new_version", form.text("new_version"))
        if form.file is None:
            raise InvalidModelError("the form has no file `model_file_bytes`")
        source_hash, n_bytes = await run_in_threadpool(form.file.commit)
    if n_bytes == 0:
        raise InvalidModelError("the file `model_file_bytes` is empty")
    create = context.store.catalog.create_model
    details = (dependencies, access_right, form.text("docker_image"), source_hash, is_new_version)
    model = await run_in_threadpool(create, caller.id, name, task, model_class, *details)
    context.supervisor.wake()
    return model


@router.get("/models", response_model=list[ModelAnswer])
def list_models(caller: Caller, context: Ctx, task: str | None = None) -> list[Model]:
    """Your models, with what their checks found."""
    return context.store.catalog.list_models(caller.id, task)


@router.get("/models/available", response_model=list[AvailableModelAnswer])
def list_available_models(caller: Caller, context: Ctx, task: str | None = None) -> list[Model]:
    """The models that you may use: public ones and your own, without INVALID ones; the latest version of each."""
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
    context.store.delete_unused_blobs([model.source_hash])
    return model


def _flag(name: str, text: str | None) -> bool:
    value = _FLAGS.get((text or "false").lower())
    if value is None:
        raise InvalidModelError(f"{name} is {text!r:.100}, expected true or false")
    return value


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
