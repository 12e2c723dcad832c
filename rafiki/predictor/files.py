"""Queries that come as files, in place of JSON: alone as a request's body, or in a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from rafiki.errors import InvalidQueryError, InvalidRequestError
from rafiki.predictor.decoding import Queries, parse_json
from rafiki.tasks import Task
from rafiki.tasks.query_files import is_array, is_image, read_array_file, read_csv_file, read_image_file

_MAX_PARTS = 1024
_MAX_HEADER_BYTES = 8192


class _Part(NamedTuple):
    name: str
    content_type: bytes
    file_name: bytes
    data: bytes


def is_file_or_form(body: bytes, content_type: bytes) -> bool:
    """Whether the body is something else than JSON. What an image or array is shows in its first bytes."""
    kind = content_type.partition(b";")[0].strip().lower()
    return is_image(body) or is_array(body) or kind in (b"multipart/form-data", b"text/csv")


class FileDecoder:
    """Decodes bodies for one task, within a number of pixels per request. Blocks; from any number of threads."""

    def __init__(self, task: Task, max_pixels: int) -> None:
        self._task = task
        self._max_pixels = max_pixels

    def decode(self, body: bytes, content_type: bytes) -> Queries:
        """Raises `InvalidRequestError` and `InvalidQueryError`, which say where."""
        kind, options = parse_options_header(content_type)
        if kind == b"multipart/form-data":
            return self._decode_form(_read_form(body, options.get(b"boundary")))
        part = _Part("query", kind, b"", body)
        values, is_batch, _ = self._decode_part(part, "query", self._max_pixels)
        return Queries(values, is_batch)

    def _decode_form(self, parts: Sequence[_Part]) -> Queries:
        several = [part for part in parts if part.name == "queries"]
        single = [part for part in parts if part.name == "query"]
        if several:
            values: list[Any] = []
            n_left = self._max_pixels
            for part in several:
                found, _, n_left = self._decode_part(part, f"queries[{len(values)}]", n_left)
                values += found
            return Queries(values, True)
        if len(single) != 1:
            raise InvalidRequestError('The form has neither one part "query" nor parts "queries".')
        values, _, _ = self._decode_part(single[0], "query", self._max_pixels)
        if len(values) != 1:
            raise InvalidQueryError(f"query: the file holds {len(values)} queries; give it as queries.")
        return Queries(values, False)

    def _decode_part(self, part: _Part, place: str, n_pixels_left: int) -> tuple[list[Any], bool, int]:
        """Queries, whether they came as several, and how many pixels may still come."""
        try:
            values, is_batch = self._read(part, n_pixels_left)
            decoded = [self._task.decode_query(value) for value in values]
        except InvalidQueryError as error:
            raise InvalidQueryError(f"{place}: {error.message}", error.hint) from error
        n_pixels = sum(value.shape[0] * value.shape[1] for value in decoded if isinstance(value, np.ndarray))
        return decoded, is_batch, max(0, n_pixels_left - n_pixels)

    def _read(self, part: _Part, n_pixels_left: int) -> tuple[list[Any], bool]:
        if is_image(part.data):
            self._check_takes("images", self._task.has_array_queries)
            return [read_image_file(part.data, n_pixels_left)], False
        if is_array(part.data):
            self._check_takes("arrays", self._task.has_array_queries)
            array = read_array_file(part.data)
            return (list(array), True) if array.ndim == 4 else ([array], False)
        if part.content_type == b"text/csv" or part.file_name.lower().endswith(b".csv"):
            self._check_takes("tables", self._task.has_row_queries)
            return list(read_csv_file(part.data)), True
        return [parse_json(part.data)], False

    def _check_takes(self, kind: str, does: bool) -> None:
        if not does:
            raise InvalidRequestError(f"Queries of {self._task.name} do not come as {kind}; send JSON.", status=415)


def _read_form(body: bytes, boundary: bytes | None) -> list[_Part]:
    if not boundary:
        raise InvalidRequestError("The form's content type names no boundary.")
    reader = _FormReader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        parser.write(body)
    except FormParserError as error:
        raise InvalidRequestError(f"The form is broken: {error}.") from error
    if not reader.has_ended:
        raise InvalidRequestError("The form ends before its closing boundary.")
    return reader.parts


class _FormReader:
    """Takes what the parser finds."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.has_ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._data = bytearray()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_data,
            "on_part_end": self._end,
            "on_end": self._end_all,
        }

    def _begin(self) -> None:
        if len(self.parts) >= _MAX_PARTS:
            raise InvalidRequestError(f"The form has more than {_MAX_PARTS} parts.")
        self._headers = {}
        self._data = bytearray()

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) > _MAX_HEADER_BYTES:
            raise InvalidRequestError("A header of the form is too long.")

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        kind, _ = parse_options_header(self._headers.get(b"content-type", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        self.parts.append(_Part(name, kind, options.get(b"filename", b""), bytes(self._data)))

    def _end_all(self) -> None:
        self.has_ended = True
