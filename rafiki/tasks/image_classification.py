"""IMAGE_CLASSIFICATION: IMAGE_FILES; a query is an image, a prediction the probabilities of k classes."""

from __future__ import annotations

import logging
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np

from rafiki.errors import InvalidQueryError
from rafiki.model.image_archive import open_image_archive, read_image, read_image_rows
from rafiki.tasks import describing, examples, splitting
from rafiki.tasks.base import TrainArgs
from rafiki.tasks.probabilities import ProbabilityTask

_log = logging.getLogger(__name__)

#: Up to this class, a gap in the numbers of classes costs nothing.
_FEW_CLASSES = 100

_EXPECTED = "expected an RGB image as nested lists, rows of pixels of 3 values from 0 to 255 (or 1 or 4, or one number)"


class ImageClassification(ProbabilityTask):
    """A decoded query is a uint8 array H x W x 3. Transparency is dropped, grey becomes three equal channels."""

    has_array_queries = True

    def check_structure(self, path: str) -> None:
        with open_image_archive(path) as archive:
            read_image_rows(archive)

    def write_example(self, path: str) -> bool:
        examples.write_images(path)
        return True

    def check_dataset(self, path: str, train_args: TrainArgs = None) -> None:
        sizes: Set[Tuple[int, int]] = set()
        with open_image_archive(path) as archive:
            rows = read_image_rows(archive)
            for row in rows:
                sizes.add(read_image(archive, row).size)
        largest, n_classes = max(row.image_class for row in rows), len({row.image_class for row in rows})
        if largest > _FEW_CLASSES and largest > 2 * n_classes:
            _log.warning(
                "The largest class is %d, but there are %d classes; number them from 0 without gaps, "
                "for templates make room for all up to the largest",
                largest,
                n_classes,
            )
        if len(sizes) > 1:
            _log.warning("The dataset's images have %d different sizes; templates get them resized", len(sizes))

    def iterate(
        self, path: str, train_args: TrainArgs = None, others: Sequence[str] = ()
    ) -> Iterator[Tuple[np.ndarray, int]]:
        with open_image_archive(path) as archive:
            for row in read_image_rows(archive):
                yield np.array(read_image(archive, row).convert("RGB")), row.image_class

    def stats(self, path: str) -> Dict[str, Any]:
        return describing.image_stats(path)

    def preview(self, path: str, limit: int) -> List[Dict[str, Any]]:
        return describing.image_preview(path, limit)

    def split(
        self,
        path: str,
        out_paths: Sequence[str],
        fractions: Sequence[float],
        seed: int,
        train_args: TrainArgs = None,
    ) -> List[int]:
        return splitting.split_image_files(path, out_paths, fractions, seed)

    def decode_query(self, query: Any) -> np.ndarray:
        if not isinstance(query, (np.ndarray, list, tuple)):
            raise InvalidQueryError(f"query is a {type(query).__name__}, {_EXPECTED}")
        try:
            image = np.asarray(query)
        except ValueError:  # rows of different lengths
            image = np.empty(0, object)
        if image.dtype.kind not in "uif" or image.size == 0 or not _is_image_shape(image.shape):
            raise InvalidQueryError(_find_fault(query))
        if image.dtype != np.uint8:
            image = _to_bytes(image)
        if image.ndim == 2:
            image = image[:, :, np.newaxis]
        if image.shape[2] == 1:
            image = np.repeat(image, 3, axis=2)
        return np.ascontiguousarray(image[:, :, :3])


def _is_image_shape(shape: Tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def _to_bytes(image: np.ndarray) -> np.ndarray:
    """Whole numbers of any type as uint8."""
    with np.errstate(invalid="ignore"):
        converted = image.astype(np.uint8)
    wrong = converted != image  # out of range wraps around, fractions are cut off, NaN becomes some number
    if wrong.any():
        place = np.unravel_index(int(wrong.argmax()), image.shape)
        where = "".join(f"[{i}]" for i in place)
        raise InvalidQueryError(f"query{where} is {image[place]}, expected a whole number from 0 to 255")
    return converted


def _find_fault(query: Any) -> str:
    """Where nested lists first stop being an image, in a sentence."""
    rows = _as_list(query)
    if not rows:
        return f"query is empty, {_EXPECTED}"
    first_row = _as_list(rows[0]) or []
    for y, row in enumerate(map(_as_list, rows)):
        if not row:
            return f"query[{y}] is not a row of pixels, {_EXPECTED}"
        if len(row) != len(first_row):
            return f"query[{y}] has {_count(len(row), 'pixel')}, expected {len(first_row)}"
        for x, pixel in enumerate(row):
            fault = _find_fault_of_pixel(pixel, first_row[0])
            if fault:
                return f"query[{y}][{x}] {fault}"
    return f"query is not an image, {_EXPECTED}"


def _find_fault_of_pixel(pixel: Any, first_pixel: Any) -> Optional[str]:
    """What is wrong with a pixel of an image whose first is `first_pixel`, if anything."""
    values = _as_list(pixel)
    first_values = _as_list(first_pixel)
    if values is None or first_values is None:
        if values is not None:
            return f"has {_count(len(values), 'value')}, expected one number, as in the pixels before"
        if first_values is not None:
            return f"is one value, expected a list of {len(first_values)}, as in the pixels before"
        values = [pixel]
    else:
        n_expected = len(first_values) if len(first_values) in (1, 3, 4) else 3
        if len(values) != n_expected:
            return f"has {_count(len(values), 'value')}, expected {n_expected}"
    for value in values:
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= 255 or value != int(value):
            return f"holds {_show(value)}, expected a whole number from 0 to 255"
    return None


def _show(value: Any) -> str:
    """A value of a stranger's, as an error message can bear it."""
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, int) and abs(value) > 2**63:
        return "a huge number"
    if value is None or isinstance(value, (int, float, np.generic)):
        return str(value)
    return f"a {type(value).__name__}"


def _as_list(value: Any) -> Optional[List[Any]]:
    if isinstance(value, np.ndarray):
        return list(value) if value.ndim else None
    return list(value) if isinstance(value, (list, tuple)) else None


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
