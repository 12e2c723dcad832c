"""The API's description at `/openapi.json`: what FastAPI finds out itself, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from rafiki.server.answers import ErrorAnswer

_ABOUT = """\
Train model templates over their hyperparameters, and serve the best trials as one ensemble.

A success has status 200. Every error is JSON `{error, message, hint?}`; `error` is a name to act on.
Empty query parameters count as absent. Times are ISO 8601 in UTC.
"""

#: Of every route: how its errors look.
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "Refused"},
    "5XX": {"model": ErrorAnswer, "description": "A fault of the server, logged there under the id of the hint"},
}
#: Of a route that answers with bytes.
BYTES_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


def form_body(required: list[str], properties: dict[str, str], file_field: str) -> dict[str, Any]:
    """Describes a form in either encoding: its text fields by name and meaning, and its one file."""
    fields: dict[str, Any] = {
        name: {"type": "string", "minLength": int(name in required), "description": meaning}
        for name, meaning in properties.items()
    }
    fields[file_field] = {"type": "string", "format": "binary"}
    schema = {"type": "object", "required": required, "properties": fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["token"] = {"type": "http", "scheme": "bearer", "description": "from POST /tokens"}
        app.openapi_schema = document
    return app.openapi_schema
