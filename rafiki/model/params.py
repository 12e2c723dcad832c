"""Trained parameters, and the one file format in which Rafiki keeps and moves them. Nothing is ever pickled.

`Params` is a dict from str to str, int, float, bool, bytes, None, NumPy array or NumPy scalar. What is written is
what is read, in value and type; arrays come back as writable plain arrays of the same dtype and shape.

The params file (little-endian):

    8 bytes    the magic `RAFIKIP1`
    8 bytes    length of the header, an unsigned int
    header     JSON, ASCII: a list of entries, one per parameter, in their order
    payloads   those that the entries announce, in their order; each starts at the next multiple of 64 bytes from
               the file's start, zeros in between; the file ends with the last one

An entry is `[key, value]` for None, a bool, an int of 64 bits, a finite float or a short text; otherwise one of

    [key, "int", hexadecimal]              an int of any size
    [key, "float", "nan" | "inf" | "-inf"]
    [key, "text", n_bytes]                 payload: UTF-8 (lone surrogates encoded like any other code point)
    [key, "bytes", n_bytes]                payload: the bytes
    [key, "array", dtype, shape]           payload: its elements in C order, so that it can be memory-mapped
    [key, "scalar", dtype, []]             a NumPy scalar, as an array without dimensions
    [key, "numpy_text" | "numpy_bytes", n_bytes]    a `numpy.str_` or `numpy.bytes_`

A dtype is NumPy's `dtype.str` (`"<f4"`), or `["fields", [[name, dtype, offset, title or null], ...], itemsize]` or
`["subarray", dtype, shape]`. A key is a text, or the list of its characters where it has lone surrogates.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import reprlib
import struct
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from rafiki.errors import InvalidParamsError
from rafiki.model.dtypes import build_dtype, checked_shape, describe_dtype, n_items
from rafiki.model.places import MODULE_PREFIX

Params = Dict[str, Union[str, int, float, np.ndarray, bool, bytes, None]]
"""Everything that defines a trained state."""

_MAGIC = b"RAFIKIP1"
_ALIGNMENT = 64
_MAX_JSON_INT = 2**63 - 1
_MAX_INLINE_TEXT = 1024
_PREFIX = struct.Struct("<8sQ")
_TEXT_ERRORS = "surrogatepass"
_HINT = "parameters are a dict from str to str, int, float, bool, bytes, None or numpy.ndarray"

_File = Union[io.BufferedReader, io.BytesIO]
_Payload = Union[bytes, np.ndarray, None]


def check_params(params: Any) -> None:
    """InvalidParamsError that names the key and its type where `params` is not `Params`."""
    if not isinstance(params, dict):
        raise InvalidParamsError(f"the parameters are of type {type(params).__name__}, not dict", _HINT)
    for key, value in params.items():
        if not isinstance(key, str):
            raise InvalidParamsError(f"the key {_shown(key)} is of type {_type_name(key)}, not str", _HINT)
        if isinstance(value, (np.ndarray, np.generic)):
            _check_array(key, value)
        elif value is not None and not isinstance(value, (str, int, float, bytes)):
            raise InvalidParamsError(f"the value of {_shown(key)} is of type {_type_name(value)}", _HINT)


def save_params(path: Union[str, os.PathLike[str]], params: Params) -> None:
    """Writes the params file at `path`, all of it or nothing, and to the disk before it returns."""
    import tempfile

    chunks = _chunks(params)
    folder = os.path.dirname(os.path.abspath(path))
    file_no, temporary_path = tempfile.mkstemp(dir=folder, prefix=".params-")
    try:
        with os.fdopen(file_no, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary_path, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary_path)
        raise
    folder_no = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(folder_no)
    finally:
        os.close(folder_no)


def load_params(path: Union[str, os.PathLike[str]]) -> Params:
    """The parameters of a params file, in memory of their own. InvalidParamsError where it is damaged or forged."""
    with open(path, "rb") as file:
        return _read(file, os.fstat(file.fileno()).st_size)


def pack_params(params: Params) -> bytes:
    """The content of the params file, as `save_params` writes it."""
    return b"".join(_chunks(params))


def unpack_params(data: bytes) -> Params:
    """The parameters of a params file's content. InvalidParamsError where it is damaged or forged."""
    return _read(io.BytesIO(data), len(data))


# --- writing --------------------------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    return reprlib.repr(value)


def _type_name(value: Any) -> str:
    cls = type(value)
    is_plain = cls.__module__ == "builtins" or cls.__module__.startswith(MODULE_PREFIX)
    return cls.__name__ if is_plain else f"{cls.__module__}.{cls.__name__}"


def _check_array(key: str, value: Union[np.ndarray, np.generic]) -> None:
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidParamsError(f"the value of {_shown(key)} is a masked array: give its data and mask", _HINT)
    try:
        describe_dtype(value.dtype)
    except (ValueError, TypeError) as error:
        what = f"the value of {_shown(key)} is of type {_type_name(value)}, {error}"
        raise InvalidParamsError(what, _HINT) from error


def _chunks(params: Params) -> Iterator[Union[bytes, memoryview]]:
    """The file in pieces; large arrays are not copied. All is checked before the first piece is made."""
    check_params(params)
    entries: List[List[Any]] = []
    payloads: List[Union[bytes, np.ndarray]] = []
    for key, value in params.items():
        description, payload = _encode(value)
        entries.append([key if _is_unicode(key) else list(key), *description])
        if payload is not None:
            payloads.append(payload)
    header = json.dumps(entries, allow_nan=False, separators=(",", ":")).encode("ascii")
    return _laid_out(header, payloads)


def _laid_out(header: bytes, payloads: List[Union[bytes, np.ndarray]]) -> Iterator[Union[bytes, memoryview]]:
    yield _PREFIX.pack(_MAGIC, len(header)) + header
    position = _PREFIX.size + len(header)
    for payload in payloads:
        data = payload if isinstance(payload, bytes) else _bytes_of(np.asarray(payload, order="C"))
        padding = -position % _ALIGNMENT
        yield bytes(padding)
        yield data
        position += padding + len(data)


def _bytes_of(array: np.ndarray) -> memoryview:
    """The memory of an array in C order, as bytes."""
    if array.nbytes == 0:
        return memoryview(bytearray())
    return array.reshape(-1).view(np.uint8).data


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can encode it: it has no lone surrogates, two of which JSON would join to one character."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode(value: Any) -> Tuple[List[Any], _Payload]:
    """What follows the key in a value's entry, and its payload."""
    if isinstance(value, (str, bytes)):
        return _encode_text(value)
    if isinstance(value, np.generic):
        return ["scalar", describe_dtype(value.dtype), []], np.asarray(value)
    if isinstance(value, np.ndarray):
        return ["array", describe_dtype(value.dtype), list(value.shape)], value
    if value is None or isinstance(value, bool):
        return [value], None
    if isinstance(value, int):
        return ([int(value)] if abs(value) <= _MAX_JSON_INT else ["int", hex(value)]), None
    return ([float(value)] if math.isfinite(value) else ["float", repr(float(value))]), None


def _encode_text(value: Union[str, bytes]) -> Tuple[List[Any], _Payload]:
    prefix = "numpy_" if isinstance(value, np.generic) else ""
    if isinstance(value, bytes):
        return [prefix + "bytes", len(value)], bytes(value)
    if not prefix and len(value) <= _MAX_INLINE_TEXT and _is_unicode(value):
        return [str.__str__(value)], None
    data = value.encode("utf-8", _TEXT_ERRORS)
    return [prefix + "text", len(data)], data


# --- reading --------------------------------------------------------------------------------------------------------


def _read(file: _File, size: int) -> Params:
    try:
        header_size = _read_header_size(file, size)
        header = json.loads(file.read(header_size))
        if not isinstance(header, list):
            raise TypeError("its header is no list of entries")
        entries = [_plan(*entry) for entry in header]
        _check_size(entries, start=_PREFIX.size + header_size, size=size)
        params: Params = {}
        for entry in entries:
            if entry.key in params:
                raise ValueError(f"the key {_shown(entry.key)} stands there twice")
            if entry.n_bytes is not None:
                file.seek(-file.tell() % _ALIGNMENT, os.SEEK_CUR)
            params[entry.key] = entry.read(file)
        return params
    # All that json, numpy and the unpacking of entries raise where the file is not what it should be.
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise InvalidParamsError(f"this is no params file, or a damaged one: {error}") from error


def _read_header_size(file: _File, size: int) -> int:
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size or not prefix.startswith(_MAGIC):
        raise ValueError(f"it does not start with {_MAGIC.decode()} and the length of its header")
    header_size: int = _PREFIX.unpack(prefix)[1]
    if header_size > size - _PREFIX.size:
        raise ValueError(f"it has {size} bytes, its header alone {header_size}")
    return header_size


class _Entry(NamedTuple):
    key: str
    n_bytes: Optional[int]  # of its payload; None where it has none
    read: Callable[[_File], Any]


def _check_size(entries: List[_Entry], start: int, size: int) -> None:
    """Payloads have no offsets of their own: none can overlap, and together they are no larger than the file."""
    end = start
    for entry in entries:
        if entry.n_bytes is not None:
            end += -end % _ALIGNMENT + entry.n_bytes
    if end != size:
        raise ValueError(f"it has {size} bytes, its header announces {end}")


def _plan(key: Any, *description: Any) -> _Entry:
    """What an entry announces; nothing is read or allocated yet."""
    name = key if isinstance(key, str) else "".join(key)
    kind, *details = description
    if not details:
        if kind is not None and not isinstance(kind, (bool, int, float, str)):
            raise ValueError(f"the value of {_shown(name)} is of no type of ours")
        return _Entry(name, None, lambda file: kind)
    if kind == "int" or kind == "float":
        number = int(details[0], 16) if kind == "int" else float(details[0])
        return _Entry(name, None, lambda file: number)
    if kind == "array" or kind == "scalar":
        dtype, shape = build_dtype(details[0]), checked_shape(details[1])
        n_bytes = dtype.itemsize * n_items(shape)
        return _Entry(name, n_bytes, lambda file: _read_array(file, dtype, shape, n_bytes, kind == "scalar"))
    convert, (n_bytes,) = _TEXT_KINDS[kind], checked_shape(details)
    return _Entry(name, n_bytes, lambda file: convert(_read_bytes(file, n_bytes)))


_TEXT_KINDS: Dict[str, Callable[[bytes], Any]] = {
    "text": lambda data: data.decode("utf-8", _TEXT_ERRORS),
    "bytes": lambda data: data,
    "numpy_text": lambda data: np.str_(data.decode("utf-8", _TEXT_ERRORS)),
    "numpy_bytes": np.bytes_,
}


def _read_bytes(file: _File, n_bytes: int) -> bytes:
    data = file.read(n_bytes)
    if len(data) != n_bytes:
        raise ValueError("it became shorter while it was read")
    return data


def _read_array(file: _File, dtype: np.dtype[Any], shape: Tuple[int, ...], n_bytes: int, is_scalar: bool) -> Any:
    array = np.empty(shape, dtype)
    if file.readinto(_bytes_of(array)) != n_bytes:
        raise ValueError("it became shorter while it was read")
    return array[()] if is_scalar else array
