"""Forms with a file: parsed as they arrive, the file going straight to the blobs.

Memory stays small however large the file is, and whatever ends the request early (a client that goes away, a form
that is too large, a mistake in another field) leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from rafiki.errors import InvalidRequestError, PayloadTooLargeError, RafikiError
from rafiki.store.blobs import BlobWriter

#: All fields of a form but its file.
MAX_TEXT_BYTES = 2**20
_MAX_PARTS = 100
_STEP_BYTES = 2**20


class Form:
    """What a form held: its fields by name, and its file, written but not yet committed."""

    def __init__(self, open_writer: Callable[[], BlobWriter]) -> None:
        self.fields: dict[str, bytes] = {}
        self.file: BlobWriter | None = None
        self._open_writer = open_writer

    def open_file(self) -> BlobWriter:
        if self.file is not None:
            raise InvalidRequestError("the form has more than one file")
        self.file = self._open_writer()
        return self.file

    def required(self, name: str, error: type[RafikiError]) -> str:
        text = self.text(name)
        if text is None:
            raise error(f"the form has no `{name}`")
        return text

    def text(self, name: str) -> str | None:
        """The field's text; `None` where it is absent or empty."""
        try:
            text = self.fields.get(name, b"").decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError(f"the field {name!r} is not UTF-8 text") from error
        if "\0" in text:
            raise InvalidRequestError(f"the field {name!r} holds a NUL character")
        return text or None


@asynccontextmanager
async def receive_form(
    request: Request, file_field: str, open_writer: Callable[[], BlobWriter], max_bytes: int
) -> AsyncIterator[Form]:
    """The request's form, in either encoding. At the end its file is gone unless it was committed meanwhile."""
    form = Form(open_writer)
    try:
        parser = _parser_for(request, form, file_field)
        async for step in _steps(request, max_bytes):
            await run_in_threadpool(parser.feed, step)
        await run_in_threadpool(parser.finish)
        yield form
    except FormParserError as error:
        raise InvalidRequestError(f"the form is broken: {error}") from error
    finally:
        if form.file is not None:
            form.file.abort()


async def _steps(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a thread's while."""
    declared = request.headers.get("content-length", "0")
    n_bytes = int(declared) if declared.isdigit() else 0
    _check_size(n_bytes, max_bytes)
    n_bytes = 0
    gathered = bytearray()
    async for chunk in request.stream():
        n_bytes += len(chunk)
        _check_size(n_bytes, max_bytes)
        gathered += chunk
        if len(gathered) >= _STEP_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _check_size(n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        raise PayloadTooLargeError(f"the upload is larger than the {max_bytes} bytes that this server takes")


def _parser_for(request: Request, form: Form, file_field: str) -> _MultipartForm | _UrlencodedForm:
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    if content_type == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise InvalidRequestError("the form's content type names no boundary")
        return _MultipartForm(boundary, form, file_field)
    if content_type in (b"application/x-www-form-urlencoded", b""):
        return _UrlencodedForm(form, file_field)
    raise InvalidRequestError("this call takes a form", "send multipart/form-data")


class _MultipartForm:
    """Knows a part by its name alone: a client's file name means nothing, nor whether there is one."""

    def __init__(self, boundary: bytes, form: Form, file_field: str) -> None:
        self._form = form
        self._file_field = file_field
        self._n_parts = 0
        self._n_text_bytes = 0
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._text = bytearray()
        self._writer: BlobWriter | None = None
        self._has_ended = False
        callbacks: Any = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_header_name,
            "on_header_value": self._add_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, data: bytes) -> None:
        self._parser.write(data)

    def finish(self) -> None:
        if not self._has_ended:
            raise InvalidRequestError("the form ends before its closing boundary")

    def _begin_part(self) -> None:
        self._n_parts += 1
        if self._n_parts > _MAX_PARTS:
            raise InvalidRequestError(f"the form has more than {_MAX_PARTS} parts")
        self._name = ""
        self._text.clear()
        self._writer = None

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        if self._name == self._file_field:
            self._writer = self._form.open_file()

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._writer is not None:
            self._writer.write(data[start:end])
            return
        self._n_text_bytes += end - start
        if self._n_text_bytes > MAX_TEXT_BYTES:
            raise PayloadTooLargeError(f"the fields but {self._file_field!r} are larger than {MAX_TEXT_BYTES} bytes")
        self._text += data[start:end]

    def _end_part(self) -> None:
        if self._writer is None:
            self._form.fields[self._name] = bytes(self._text)

    def _end(self) -> None:
        self._has_ended = True


class _UrlencodedForm:
    """Small by nature: read whole, within the bound on text."""

    def __init__(self, form: Form, file_field: str) -> None:
        self._form = form
        self._file_field = file_field
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > MAX_TEXT_BYTES:
            raise PayloadTooLargeError(
                f"an urlencoded form may have {MAX_TEXT_BYTES} bytes", "send a file as multipart/form-data"
            )

    def finish(self) -> None:
        for pair in bytes(self._body).split(b"&"):
            raw_name, _, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in pair.partition(b"="))
            name = raw_name.decode("utf-8", "replace")
            if name == self._file_field:
                self._form.open_file().write(value)
            else:
                self._form.fields[name] = value
