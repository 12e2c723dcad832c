"""From a request's body to the queries that a template's `predict` gets."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import orjson
import simdjson

from rafiki.errors import InvalidQueryError, InvalidRequestError
from rafiki.tasks import Task

#: What a JSON array of integers is made of, but for its structure.
_DIGITS_AND_SPACE = b"0123456789 \t\r\n"
#: Nothing is kept of larger documents; a parser keeps memory in proportion to the largest that it has seen.
_MAX_KEPT_BYTES = 4 * 2**20


class Queries(NamedTuple):
    """What was asked: `{"queries": [...]}`, or `{"query": ...}` as the only one."""

    values: Sequence[Any]
    is_batch: bool


class QueryDecoder:
    """Decodes bodies for one task. Raises `InvalidRequestError` and `InvalidQueryError`, which say where."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._parser = simdjson.Parser()

    def decode(self, body: bytes) -> Queries:
        asked = self._parse_arrays(body) if self._task.has_array_queries else None
        if asked is None:
            asked = _asked(parse_json(body))
        if asked.is_batch:
            return Queries([self._decode_one(query, f"queries[{i}]") for i, query in enumerate(asked.values)], True)
        return Queries([self._decode_one(asked.values[0], "query")], False)

    def _decode_one(self, query: Any, place: str) -> Any:
        try:
            return self._task.decode_query(query)
        except InvalidQueryError as error:
            raise InvalidQueryError(f"{place}: {error.message}", error.hint) from error

    def _parse_arrays(self, body: bytes) -> Queries | None:
        """Bodies of nothing but equally shaped arrays of 0..255, ten times as fast; None for all others.

        A parsed array comes as its numbers in a row. That its rows were of equal length shows in what the body is
        without its digits: it must be what an array of that shape looks like.

        Nothing may be raised from here: a traceback would hold the document, and with it the parser.
        """
        parser = self._parser if len(body) <= _MAX_KEPT_BYTES else simdjson.Parser()
        try:
            document = parser.parse(body)
            if not isinstance(document, simdjson.Object) or len(document) != 1:
                return None
            key = "query" if "query" in document else "queries"
            array = document[key]
            shape = _shape(array)
            if not isinstance(array, simdjson.Array) or not 0 < math.prod(shape) < len(body):
                return None
            skeleton = _skeleton if len(body) <= _MAX_KEPT_BYTES else _skeleton.__wrapped__
            if body.translate(None, _DIGITS_AND_SPACE) != skeleton(key, shape):
                return None
            numbers = np.frombuffer(array.as_buffer(of_type="u"), np.uint64)
        except (KeyError, TypeError, ValueError):  # another key, other types, no JSON
            return None
        if numbers.max() > 255:
            return None
        values = numbers.astype(np.uint8).reshape(shape)
        return Queries(list(values), True) if key == "queries" else Queries([values], False)


def parse_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:  # takes NaN and numbers of any size, and its messages name line and column
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body is no JSON: {error}.") from error


def _asked(document: Any) -> Queries:
    """What a document asks. `queries` wins; null is as good as nothing."""
    if not isinstance(document, dict):
        raise InvalidRequestError('The body is no JSON object; expected {"query": ...} or {"queries": [...]}.')
    queries, query = document.get("queries"), document.get("query")
    if queries is not None:
        if not isinstance(queries, list):
            raise InvalidQueryError(f"queries is a {type(queries).__name__}, expected a list.")
        return Queries(queries, True)
    if query is None:
        raise InvalidRequestError('Neither "query" nor "queries" is given.')
    return Queries([query], False)


def _shape(array: Any) -> tuple[int, ...]:
    """The shape that `array` has if it is regular, judged by its first elements."""
    shape = []
    while isinstance(array, simdjson.Array):
        shape.append(len(array))
        array = array[0] if len(array) else None
    return tuple(shape)


@lru_cache(64)
def _skeleton(key: str, shape: tuple[int, ...]) -> bytes:
    """`{"key": array}` of this shape without digits and space."""
    row = b""
    for length in reversed(shape):
        row = b"[" + b",".join([row] * length) + b"]"
    return b'{"' + key.encode() + b'":' + row + b"}"
