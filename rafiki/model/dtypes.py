"""NumPy dtypes as plain data and back: what the params file says about its arrays."""

from __future__ import annotations

import functools
import re
from typing import Any, Iterable, List, Tuple

import numpy as np

_KINDS = "biufcSUVmM?"  # no objects, no references: an array's bytes are all of it
_SIMPLE = re.compile(r"[<>|=][biufcSUVmM?](\d+(\[\d*[a-zA-Z]+(/\d+)?\])?)?")
_MAX_DEPTH = 16


def n_items(shape: Iterable[int]) -> int:
    """How many items an array of that shape has (`math.prod`, which Python 3.7 has not)."""
    n = 1
    for size in shape:
        n *= size
    return n


@functools.lru_cache(maxsize=256)
def describe_dtype(dtype: np.dtype[Any]) -> Any:
    """`dtype` as text (`dtype.str`), or, for one with fields or a subarray, as a list of JSON-able values.

    ValueError where its arrays are not defined by their bytes alone (objects, types of other packages).
    """
    description = _describe(dtype)
    if build_dtype(description) != dtype:
        raise ValueError(f"dtype {dtype} is not one of NumPy's own")
    return description


def _describe(dtype: np.dtype[Any]) -> Any:
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise ValueError(f"dtype {dtype}")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ["subarray", _describe(base), list(shape)]
    if dtype.names is not None and dtype.fields is not None:
        return ["fields", [_describe_field(name, *dtype.fields[name]) for name in dtype.names], dtype.itemsize]
    return dtype.str


def _describe_field(name: str, dtype: np.dtype[Any], offset: int, title: Any = None) -> List[Any]:
    return [name, _describe(dtype), offset, title if isinstance(title, str) else None]


def build_dtype(description: Any, depth: int = 0) -> np.dtype[Any]:
    """The dtype of a description, which may be forged: ValueError or TypeError where it is none of ours."""
    if isinstance(description, str):
        dtype = np.dtype(description) if _SIMPLE.fullmatch(description) else None
        if dtype is None or dtype.str != description:
            raise ValueError(f"no dtype of ours: {description[:80]!r}")
        return dtype
    if depth > _MAX_DEPTH:
        raise ValueError("a dtype nested too deeply")
    kind, content, extent = description
    if kind == "subarray":
        return np.dtype((build_dtype(content, depth + 1), checked_shape(extent)))
    if kind == "fields":
        names, formats, offsets, titles = ([field[i] for field in content] for i in range(4))
        formats = [build_dtype(field, depth + 1) for field in formats]
        if not all(isinstance(title, (str, type(None))) for title in titles):
            raise ValueError("a field's title must be a text")
        spec: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": extent}
        if any(titles):
            spec["titles"] = titles
        structured: np.dtype[Any] = np.dtype(spec)
        return structured
    raise ValueError(f"no dtype of ours: {kind!r}")


def checked_shape(shape: Any) -> Tuple[int, ...]:
    """A shape from JSON."""
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("a shape must be a list of sizes")
    return tuple(shape)
