"""Decoded images kept on disk, so that a job's later trials map them into memory in milliseconds.

An entry is two `.npy` files, the images' renamed into place last: it is there whole or not at all. Entries are never
changed, and mapped copy-on-write: what a template does to an image it was given stays in that process. They need not
be on the disk yet, which would take longer than decoding: after a restart of the machine no earlier entry counts.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from typing import IO, Callable, NamedTuple, Optional, Tuple

import numpy as np

from rafiki.model.atomic import new_file

_log = logging.getLogger(__name__)

_FORMAT = 1  # raise it when the same arguments begin to give other arrays
_TAIL_BYTES = 1 << 20


#: Makes an array of a shape and a type, its values undefined.
Allocate = Callable[[Tuple[int, ...], np.dtype], np.ndarray]


class DecodedImages(NamedTuple):
    images: np.ndarray  # uint8, N x side x side [x channels]
    classes: np.ndarray  # int64, N


def cached_images(
    dataset_path: str,
    cache_dir: Optional[str],
    arguments: Tuple[object, ...],
    decode: Callable[[Allocate], DecodedImages],
) -> DecodedImages:
    """What `decode` gives, from `cache_dir` where it is there, left there where not. Without one, just decodes.

    What goes there is decoded into its file, so that images beyond a machine's memory can be.
    """
    if cache_dir is None:
        return decode(np.empty)
    entry = os.path.join(cache_dir, _key(dataset_path, arguments))
    cached = _load(entry)
    if cached is not None:
        return cached
    try:
        os.makedirs(cache_dir, exist_ok=True)
        with new_file(entry + ".images.npy") as file:
            decoded = decode(lambda shape, dtype: _allocate_in(file, shape, dtype))
            with new_file(entry + ".classes.npy") as classes_file:
                np.save(classes_file, decoded.classes)
    except OSError as error:
        _log.warning("Decoded images could not be kept in %s: %s", cache_dir, error)
        return decode(np.empty)
    return _load(entry) or decode(np.empty)


def _allocate_in(file: IO[bytes], shape: Tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array that is the content of an `.npy` file."""
    np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})
    offset = file.tell()
    # Taken from the disk at once: to find it full when a page is written would kill the process.
    if hasattr(os, "posix_fallocate"):  # not on every system
        os.posix_fallocate(file.fileno(), 0, offset + math.prod(shape) * dtype.itemsize)
    return np.memmap(file, dtype, "r+", offset, shape).view(np.ndarray)


def _key(dataset_path: str, arguments: Tuple[object, ...]) -> str:
    """Of a file's identity, its last MiB, and the arguments.

    A zip ends with its directory, and that has every member's checksum: the tail tells archives apart that were
    written over each other within one tick of the clock, at a thousandth of the cost of hashing all.
    """
    stat = os.stat(dataset_path)
    digest = hashlib.sha256(
        repr((_FORMAT, _boot_id(), arguments, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)).encode()
    )
    with open(dataset_path, "rb") as file:
        file.seek(max(0, stat.st_size - _TAIL_BYTES))
        digest.update(file.read())
    return digest.hexdigest()[:40]


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read()
    except OSError:  # not Linux
        return ""


def _load(entry: str) -> Optional[DecodedImages]:
    try:
        images = np.load(entry + ".images.npy", mmap_mode="c")
        classes = np.load(entry + ".classes.npy")
    except (OSError, ValueError, EOFError):  # none there, or one that a template has damaged: decode again
        return None
    # As a plain array: indexing a `memmap` costs ten times as much.
    return DecodedImages(images.view(np.ndarray), classes)
