"""What the tasks share whose predictions are the probabilities of k classes."""

from __future__ import annotations

from abc import ABC
from typing import Any, List, Optional, Sequence

import numpy as np

from rafiki.errors import InvalidPredictionError
from rafiki.tasks.base import Task, check_counts, to_json_value

# Probabilities that a template computed in float32 may be off by this much.
_TOLERANCE = 1e-3


class ProbabilityTask(Task, ABC):
    """A prediction is a list with one probability per class; an ensemble answers with the mean."""

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
        """Accuracy: the fraction of items whose most probable class is their own."""
        check_counts(predictions, labels)
        n_right = 0
        for prediction, label in zip(predictions, labels):
            vector = _as_vector(prediction)
            if vector is None:
                raise InvalidPredictionError(f"{str(prediction)[:60]} is not a list of one probability per class")
            n_right += int(vector.argmax()) == label
        return n_right / len(labels)


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
