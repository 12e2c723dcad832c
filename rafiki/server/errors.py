"""Every error leaves the server as JSON `{error, message[, hint]}`, whoever raised it."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rafiki.errors import (
    InternalServerError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    RafikiError,
)

logger = logging.getLogger("rafiki.server")


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(RafikiError, _answer_rafiki_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_middleware(ErrorBoundary)


def error_response(error: RafikiError, headers: dict[str, str] | None = None) -> Response:
    # ASCII: a message may quote text of the request that is no valid Unicode.
    response = Response(json.dumps(error.to_json()), error.status, headers, "application/json")
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _answer_rafiki_error(request: Request, error: Exception) -> Response:
    return error_response(cast(RafikiError, error))


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    problems = [_describe(problem) for problem in cast(RequestValidationError, error).errors()]
    return error_response(InvalidRequestError("; ".join(problems)))


def _describe(problem: dict[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        return f"the body is not JSON: {problem['ctx']['error']} at character {problem['loc'][-1]}"
    where = ".".join(str(part) for part in problem["loc"][1:])
    if problem["type"] == "missing":
        return f"{where or 'a JSON object as the body'} is missing"
    return f"{where or 'the body'}: {problem['msg']}"


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    raised = cast(HTTPException, error)
    return error_response(_name_http_exception(request, raised), dict(raised.headers or {}))


def _name_http_exception(request: Request, raised: HTTPException) -> RafikiError:
    if raised.status_code == 404:
        return NotFoundError(f"there is nothing at {request.url.path!r}")
    if raised.status_code == 405:
        return MethodNotAllowedError(f"{request.url.path!r} does not take {request.method}")
    if raised.status_code == 413:
        return PayloadTooLargeError(raised.detail)
    return InvalidRequestError(raised.detail, status=raised.status_code)


class ErrorBoundary:
    """The outermost layer: what nobody foresaw is logged with an id, and the answer names only the id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def watch(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            logger.info("the client of %s %s is gone", scope["method"], scope["path"])
        except Exception:  # whatever it is, the client gets an answer that is JSON and tells no internals
            incident = uuid.uuid4().hex[:12]
            logger.exception("error %s in %s %s", incident, scope["method"], scope["path"])
            if has_started:
                raise
            error = InternalServerError("something went wrong in the server", f"its log has more: error {incident}")
            await error_response(error)(scope, receive, send)
