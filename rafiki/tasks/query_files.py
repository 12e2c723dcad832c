"""Queries that come as files: images, NumPy arrays, tables. They are strangers': all is bounded, nothing is run."""

from __future__ import annotations

import ast
import io
import math
import re
import struct
from typing import Any, Dict, List, NoReturn, Optional, Tuple

import numpy as np

from rafiki.errors import InvalidQueryError
from rafiki.model.dataset_csv import read_records
from rafiki.model.tabular_schema import is_boolean, read_number, to_plain

PNG, JPEG, NPY = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\x93NUMPY"

#: A progressive JPEG is decoded once per scan; real ones have about ten.
_MAX_SCANS = 100
_START_OF_SCAN = b"\xff\xda"
_MAX_NPY_HEADER = 4096
_NPY_TYPE = re.compile(r"[<>|=][buif][1248]")


def is_image(data: bytes) -> bool:
    return data.startswith((PNG, JPEG))


def is_array(data: bytes) -> bool:
    return data.startswith(NPY)


def read_image_file(data: bytes, max_pixels: int) -> np.ndarray:
    """A PNG or JPEG as an array H x W x 3 of bytes. 16-bit grey is brought down to 8 bits."""
    from PIL import Image

    if data.startswith(JPEG) and data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise InvalidQueryError(f"the JPEG has more than {_MAX_SCANS} scans", "Save it anew, not as a progressive one.")
    try:
        # No decoder but these two ever sees a stranger's bytes.
        image: Image.Image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        _check_pixels(image.width, image.height, max_pixels)
        image.load()
    except InvalidQueryError:
        raise
    except Exception as error:  # on broken bytes, decoders raise about anything
        raise InvalidQueryError(f"the image cannot be decoded ({error}); expected a PNG or JPEG") from error
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.array(image.convert("RGB"))


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InvalidQueryError(
            f"the image has {width} x {height} pixels; the images of a request may have {max_pixels} more"
        )


def read_array_file(data: bytes) -> np.ndarray:
    """An `.npy` file of numbers. What it says of itself is checked before anything is made of it."""
    header, start = _npy_header(data)
    try:
        dtype, shape, is_transposed = header["descr"], header["shape"], header["fortran_order"]
    except (KeyError, TypeError):
        _fail_npy("its header lacks something")
    if not isinstance(dtype, str) or not _NPY_TYPE.fullmatch(dtype):
        _fail_npy(f"it holds {str(dtype)[:50]!r}, which are no plain numbers")
    if not isinstance(shape, tuple) or len(shape) > 8 or not all(type(n) is int and n >= 0 for n in shape):
        _fail_npy(f"its shape is {str(shape)[:50]}")
    n_values = math.prod(shape)
    if n_values * np.dtype(dtype).itemsize != len(data) - start:
        _fail_npy(f"{len(data) - start} bytes are no {'x'.join(map(str, shape))} values of {dtype}")
    values: np.ndarray = np.frombuffer(data, dtype, n_values, start)
    return values.reshape(shape[::-1]).T if is_transposed else values.reshape(shape)


def _npy_header(data: bytes) -> Tuple[Any, int]:
    try:
        major = data[len(NPY)]
        size_format = struct.Struct("<H" if major == 1 else "<I")
        size_at = len(NPY) + 2
        (size,) = size_format.unpack_from(data, size_at)
        start = size_at + size_format.size
        if size > _MAX_NPY_HEADER:
            _fail_npy(f"its header has {size} bytes")
        return ast.literal_eval(data[start : start + size].decode("utf-8")), start + size
    except (IndexError, struct.error, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidQueryError("the .npy file has no header that can be read") from error


def _fail_npy(what: str) -> NoReturn:
    raise InvalidQueryError(f"the .npy file cannot be taken: {what}")


def read_csv_file(data: bytes) -> List[Dict[str, Any]]:
    """A table with a header as one query per row, values as JSON would have them: an empty cell is None.

    A row has as many cells as the header; an empty line is passed over.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is {data[error.start]:#04x}"
        raise InvalidQueryError(f"the table is not UTF-8 text: {found}") from error
    records = read_records(io.StringIO(text, newline=""), _fail_at, skip_spaces=True)
    header = next(records, None)
    if header is None or not header.cells:
        raise InvalidQueryError("the table is empty; expected a header with the features' names, and rows")
    names = [name.strip() for name in header.cells]
    if len(set(names)) < len(names):
        raise InvalidQueryError("two columns of the table have the same name")
    queries = []
    for record in records:
        if not record.cells:
            continue
        if len(record.cells) != len(names):
            _fail_at(record.row, None, f"{len(record.cells)} cells; expected {len(names)}, as in the header")
        queries.append({name: _cell_value(cell) for name, cell in zip(names, record.cells)})
    return queries


def _cell_value(cell: str) -> Any:
    number = read_number(cell)
    if number is not None and not math.isinf(number):
        return to_plain(number)
    if is_boolean(cell):
        return cell.strip().lower() == "true"
    return cell.strip() or None


def _fail_at(row: int, column: Optional[str], message: str, cause: Optional[BaseException] = None) -> NoReturn:
    raise InvalidQueryError(f"row {row} of the table: {message}") from cause
