"""How the values of `Predict` and `Predicted` travel: arrays as raw bytes, all else as JSON.

A header entry describes the payload, one of:

| header entry | payload |
| --- | --- |
| `{"dtype": "|u1", "shape": [n, ...]}` | n arrays of one dtype and shape, one after the other |
| `{"arrays": [{"dtype": ..., "shape": [...]}, ...]}` | arrays that differ, one after the other |
| `{"vectors": [n, k]}` | n vectors of k float64, decoded as one array |
| `{"json": true}` | a JSON list |
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from rafiki.model.dtypes import n_items

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What `Predict` brings. Parsed JSON takes up to twenty times its size in memory, and that is the worker's.
MAX_QUERY_JSON_BYTES = 128 << 20
#: What `Predicted` brings, which a runner parses.
MAX_PREDICTION_JSON_BYTES = 16 << 20
#: A small array takes a hundred times the bytes that it has on the wire.
MAX_ARRAYS = 1 << 20

#: Plain numbers and booleans; everything else could run code or hide references.
_DTYPE = re.compile(r"[<>|][biuf][1248]")
_FLOAT_TYPES = {float, np.float64, np.float32}


def encode_values(values: Union[NDArray[Any], Sequence[Any]], max_json_bytes: int) -> Tuple[Dict[str, Any], bytes]:
    """Header entry and payload. Raises `TypeError` or `ValueError` for values without a JSON form, or a longer one."""
    if isinstance(values, np.ndarray) and _is_vectors(values):
        return {"vectors": values.shape}, np.ascontiguousarray(values, np.float64).tobytes()
    if len(values) and all(isinstance(value, np.ndarray) for value in values):
        shape, dtype = values[0].shape, values[0].dtype
        payload = b"".join([value.tobytes() for value in values])
        if 0 not in shape and all(value.shape == shape and value.dtype == dtype for value in values):
            return {"dtype": _dtype_name(values[0]), "shape": [len(values), *shape]}, payload
        return {"arrays": [{"dtype": _dtype_name(value), "shape": value.shape} for value in values]}, payload
    payload = json.dumps(list(values)).encode()
    if len(payload) > max_json_bytes:
        raise ValueError(f"{len(payload)} bytes of JSON, at most {max_json_bytes} can be sent")
    return {"json": True}, payload


def as_vectors(values: Union[NDArray[Any], Sequence[Any]]) -> Optional[NDArray[Any]]:
    """`values` as one float64 array when they are non-empty vectors of floats, all of one length; else `None`.

    Integers stay what they are: a list of tags must not come out as floats.
    """
    if isinstance(values, np.ndarray):
        return values.astype(np.float64, copy=False) if _is_vectors(values) else None
    kinds = set(map(type, values))
    if kinds == {list}:
        lengths = set(map(len, values))
        if len(lengths) == 1 and _FLOAT_TYPES.issuperset(map(type, chain.from_iterable(values))):
            array = np.fromiter(chain.from_iterable(values), np.float64, len(values) * lengths.pop())
            return array.reshape(len(values), -1) if len(array) else None
    elif kinds == {np.ndarray} and len({(value.shape, value.dtype) for value in values}) == 1:
        return as_vectors(np.stack(values))
    return None


def _is_vectors(array: NDArray[Any]) -> bool:
    return array.ndim == 2 and array.dtype.kind == "f" and array.dtype.itemsize <= 8 and array.size > 0


def _dtype_name(array: NDArray[Any]) -> str:
    name: str = array.dtype.str
    if not _DTYPE.fullmatch(name):
        raise TypeError(f"an array of {array.dtype} cannot be sent")
    return name


def decode_values(
    described: Dict[str, Any], body: bytearray, start: int, max_json_bytes: int
) -> Union[NDArray[Any], List[Any]]:
    """The values whose payload begins at `start` of `body`: arrays are writable views of it, so it must not be reused.

    Raises `ValueError`, `TypeError` or `KeyError` where header and payload do not agree.
    """
    if "json" in described:
        if len(body) - start > max_json_bytes:
            raise ValueError(f"{len(body) - start} bytes of JSON")
        values = json.loads(body[start:])
        if not isinstance(values, list):
            raise ValueError("a payload that is no JSON list")
        return values
    if "arrays" in described:
        return _decode_arrays(described["arrays"], body, start)
    if "vectors" in described:
        dtype, shape = "<f8", described["vectors"]
    else:
        dtype, shape = described["dtype"], described["shape"]
    if 0 in shape:  # a list of a billion empty arrays would fit into any frame
        raise ValueError(f"shape {shape!r}")
    array = _array(body, start, len(body), dtype, shape)
    if "vectors" in described:
        return array
    if len(array) > MAX_ARRAYS:
        raise ValueError(f"{len(array)} arrays")
    return list(array)


def _decode_arrays(described: List[Dict[str, Any]], body: bytearray, start: int) -> List[Any]:
    arrays = []
    for item in described:
        end = start + _n_bytes(item["dtype"], item["shape"])
        arrays.append(_array(body, start, end, item["dtype"], item["shape"]))
        start = end
    if start != len(body):
        raise ValueError("arrays that do not fill their payload")
    return arrays


def _n_bytes(dtype: str, shape: List[int]) -> int:
    if not _DTYPE.fullmatch(dtype):
        raise ValueError(f"dtype {dtype!r}")
    if len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"shape {shape!r}")
    return n_items(shape) * int(dtype[2:])


def _array(body: bytearray, start: int, end: int, dtype: str, shape: List[int]) -> NDArray[Any]:
    if _n_bytes(dtype, shape) != end - start or end > len(body):
        raise ValueError(f"{end - start} bytes for shape {shape!r} of {dtype}")
    if start == end:
        return np.empty(shape, dtype)
    return np.frombuffer(body, dtype, n_items(shape), start).reshape(shape)
