"""What requests carry: the JSON bodies, and how a body comes to be JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticSerializationError, to_json
from starlette.datastructures import UploadFile
from starlette.types import Message

from rafiki.errors import PayloadTooLargeError

MAX_JSON_BYTES = 16 * 2**20


def _check_unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair is no text") from error
    return text


def _check_no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character has no place here")
    return text


def _json_of_text(value: Any) -> Any:
    """A form can hold a list or an object only as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _check_plain_json(value: Any) -> Any:
    """Only what can be given back as JSON is taken: no NaN, no half characters, no bottomless nesting."""
    try:
        json.dumps(value, allow_nan=False)
        to_json(value)
    except (ValueError, RecursionError, PydanticSerializationError) as error:
        raise ValueError("it cannot be written as JSON (NaN, infinity, broken text, or nested too deep)") from error
    return value


AnyText = Annotated[str, AfterValidator(_check_unicode)]
#: A name or other short text.
Text = Annotated[AnyText, StringConstraints(min_length=1, max_length=1000), AfterValidator(_check_no_nul)]
_Json = Annotated[Any, BeforeValidator(_json_of_text), AfterValidator(_check_plain_json)]


class SignIn(BaseModel):
    email: AnyText
    password: AnyText


class NewLongLivedToken(BaseModel):
    name: Text = Field(examples=["nightly"])
    expires_in_days: float | None = Field(None, gt=0, le=36500, description="null: until it is revoked")


class NewUser(BaseModel):
    email: AnyText = Field(description="1 to 254 characters with one `@`", examples=["ada@rafiki"])
    password: AnyText
    user_type: AnyText = Field(description="ADMIN, MODEL_DEVELOPER or APP_DEVELOPER", examples=["APP_DEVELOPER"])


class UserToBan(BaseModel):
    email: AnyText


class DatasetLabels(BaseModel):
    labels: _Json = Field(
        None, description="list of names for the classes 0, 1, ...; null: they have none", examples=[["cat", "dog"]]
    )


class PasswordChange(BaseModel):
    current_password: AnyText
    password: AnyText = Field(description="the new one")


class PasswordReset(BaseModel):
    email: AnyText
    password: AnyText = Field(description="the new one")


class NewTrainJob(BaseModel):
    app: Text = Field(examples=["digits"])
    task: Text = Field(examples=["IMAGE_CLASSIFICATION"])
    train_dataset_id: Text
    val_dataset_id: Annotated[Text | None, BeforeValidator(lambda value: value or None)] = Field(
        None, description="null: the platform splits the one dataset, and keeps a part that no trial sees"
    )
    budget: _Json = Field(None, examples=[{"TIME_HOURS": 0.1, "GPU_COUNT": 0, "MODEL_TRIAL_COUNT": -1}])
    model_ids: Annotated[list[Text] | None, BeforeValidator(_json_of_text)] = None
    train_args: _Json = Field(None, description="object of arguments that `train` of every model gets")
    limits: _Json = Field(
        None,
        description="for admins, what each trial may use in place of what the settings say: `trial_time_s` "
        "(seconds), `memory_bytes` (of its worker)",
        examples=[{"trial_time_s": 600, "memory_bytes": 4_000_000_000}],
    )


class NewInferenceJob(BaseModel):
    app: Text = Field(examples=["digits"])
    app_version: int = Field(-1, description="-1 is the latest", ge=-1, le=2**31 - 1)
    budget: _Json = Field(None, examples=[{"GPU_COUNT": 0}])


async def with_json_body(request: Request) -> Request:
    """The request with its body read, bounded, and as JSON also where it came as a form."""
    body = await _read(request)
    if not _is_form(request):
        return _with_body(request, body)
    form = await _with_body(request, body).form()
    fields = {name: value for name, value in form.items() if not isinstance(value, UploadFile)}
    await form.close()
    return _with_body(request, json.dumps(fields).encode(), content_type=b"application/json")


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise PayloadTooLargeError(f"the body is larger than {MAX_JSON_BYTES} bytes")
    return bytes(body)


def _is_form(request: Request) -> bool:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type in ("application/x-www-form-urlencoded", "multipart/form-data")


def _with_body(request: Request, body: bytes, content_type: bytes | None = None) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = dict(request.scope)
    if content_type is not None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        scope["headers"] = [*headers, (b"content-type", content_type)]
    return Request(scope, receive)
