"""IMAGE_CLASSIFICATION: IMAGE_FILES; a query is an image, a prediction the probabilities of k classes."""

from __future__ import annotations

import logging
from typing import Any, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np

from rafiki.errors import InvalidPredictionError, InvalidQueryError
from rafiki.model.dataset_images import open_image_archive, read_image, read_image_rows
from rafiki.tasks.base import Task, check_counts, to_json_value

_log = logging.getLogger(__name__)

_EXPECTED = "expected an RGB image as nested lists, rows of pixels of 3 values from 0 to 255 (or 1 or 4, or one number)"
# Probabilities that a template computed in float32 may be off by this much.
_TOLERANCE = 1e-3


class ImageClassification(Task):
    """A decoded query is a uint8 array H x W x 3. Transparency is dropped, grey becomes three equal channels."""

    has_array_queries = True

    def check_dataset(self, path: str) -> None:
        sizes: Set[Tuple[int, int]] = set()
        with open_image_archive(path) as archive:
            for row in read_image_rows(archive):
                sizes.add(read_image(archive, row).size)
        if len(sizes) > 1:
            _log.warning("The dataset's images have %d different sizes; templates get them resized", len(sizes))

    def iterate(self, path: str) -> Iterator[Tuple[np.ndarray, int]]:
        with open_image_archive(path) as archive:
            for row in read_image_rows(archive):
                yield np.array(read_image(archive, row).convert("RGB")), row.image_class

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

    def check_prediction(self, query: Any, prediction: Any) -> List[float]:
        probabilities = to_json_value(prediction)
        if not isinstance(probabilities, list) or not probabilities:
            raise InvalidPredictionError(
                f"a prediction is a {type(prediction).__name__}; expected a list of one probability per class"
            )
        for i, value in enumerate(probabilities):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InvalidPredictionError(
                    f"prediction[{i}] is a {type(value).__name__}; expected the probability of class {i}"
                )
            if not -_TOLERANCE <= value <= 1 + _TOLERANCE:  # NaN is neither
                raise InvalidPredictionError(f"prediction[{i}] is {value}; expected a probability, from 0 to 1")
        return probabilities

    def combine_batch(self, members: Sequence[Sequence[Any]]) -> List[Any]:
        if len(members) == 1:
            alone: List[Any] = to_json_value(members[0])
            return alone
        arrays = [array for array in map(_as_matrix, members) if array is not None]
        if len(arrays) == len(members) and all(array.shape == arrays[0].shape for array in arrays):
            mean = np.asarray(np.mean(arrays, axis=0, dtype=np.float64))
            if np.isfinite(mean).all():
                return list(mean.tolist())
        return [_mean_of_valid(votes) for votes in zip(*members)]

    def score(self, predictions: Sequence[Any], labels: Sequence[int]) -> float:
        """Accuracy: the fraction of images whose most probable class is their own."""
        check_counts(predictions, labels)
        n_right = 0
        for prediction, label in zip(predictions, labels):
            vector = _as_vector(prediction)
            if vector is None:
                raise InvalidPredictionError(f"{str(prediction)[:60]} is not a list of one probability per class")
            n_right += int(vector.argmax()) == label
        return n_right / len(labels)


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


def _as_matrix(predictions: Any) -> Optional[np.ndarray]:
    """One member's predictions for all queries, n x k, if that is what they are."""
    try:
        matrix = np.asarray(predictions)
    except ValueError:  # of different lengths
        return None
    return matrix if matrix.ndim == 2 and matrix.dtype.kind in "fiu" and matrix.shape[1] else None


def _as_vector(prediction: Any) -> Optional[np.ndarray]:
    matrix = _as_matrix([prediction])
    return matrix[0] if matrix is not None and np.isfinite(matrix).all() else None


def _mean_of_valid(votes: Sequence[Any]) -> Any:
    """The mean over the members that gave probabilities, for as many classes as the best of them."""
    vectors = [vector for vector in map(_as_vector, votes) if vector is not None]
    if not vectors:
        return to_json_value(votes[0])
    votes_that_count = [vector for vector in vectors if len(vector) == len(vectors[0])]
    return np.mean(votes_that_count, axis=0, dtype=np.float64).tolist()
