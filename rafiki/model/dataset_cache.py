"""Decoded images kept on disk, so that a job's later trials map them into memory in milliseconds.

An entry is two `.npy` files, the images' renamed into place last: it is there whole or not at all. Entries are never
changed, and mapped copy-on-write: what a template does to an image it was given stays in that process.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from typing import Callable, NamedTuple, Optional, Tuple

import numpy as np

_log = logging.getLogger(__name__)

_FORMAT = 1  # raise it when the same arguments begin to give other arrays
_TAIL_BYTES = 1 << 20


class DecodedImages(NamedTuple):
    images: np.ndarray  # uint8, N x side x side [x channels]
    classes: np.ndarray  # int64, N


def cached_images(
    dataset_path: str, cache_dir: Optional[str], arguments: Tuple[object, ...], decode: Callable[[], DecodedImages]
) -> DecodedImages:
    """What `decode()` gives, from `cache_dir` where it is there, left there where not. Without one, just decodes."""
    if cache_dir is None:
        return decode()
    entry = os.path.join(cache_dir, _key(dataset_path, arguments))
    cached = _load(entry)
    if cached is not None:
        return cached
    decoded = decode()
    try:
        os.makedirs(cache_dir, exist_ok=True)
        _save(entry + ".classes.npy", decoded.classes)
        _save(entry + ".images.npy", decoded.images)
    except OSError as error:
        _log.warning("Decoded images could not be kept in %s: %s", cache_dir, error)
        return decoded
    return _load(entry) or decoded


def _key(dataset_path: str, arguments: Tuple[object, ...]) -> str:
    """Of a file's identity, its last MiB, and the arguments.

    A zip ends with its directory, and that has every member's checksum: the tail tells archives apart that were
    written over each other within one tick of the clock, at a thousandth of the cost of hashing all.
    """
    stat = os.stat(dataset_path)
    digest = hashlib.sha256(
        repr((_FORMAT, arguments, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)).encode()
    )
    with open(dataset_path, "rb") as file:
        file.seek(max(0, stat.st_size - _TAIL_BYTES))
        digest.update(file.read())
    return digest.hexdigest()[:40]


def _load(entry: str) -> Optional[DecodedImages]:
    try:
        images = np.load(entry + ".images.npy", mmap_mode="c")
        classes = np.load(entry + ".classes.npy")
    except (OSError, ValueError, EOFError):  # none there, or one that a template has damaged: decode again
        return None
    # As a plain array: indexing a `memmap` costs ten times as much.
    return DecodedImages(images.view(np.ndarray), classes)


def _save(path: str, array: np.ndarray) -> None:
    descriptor, temporary_path = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary_path, path)
    except BaseException:
        os.unlink(temporary_path)
        raise
