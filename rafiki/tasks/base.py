"""What every task offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Iterator, List, Sequence, Tuple

import numpy as np

from rafiki.errors import InvalidPredictionError


class Task(ABC):
    """Guarantees, for every task:

    - Nothing here keeps state: one object may be used from any number of threads.
    - `decode_query(encode_query(q))` equals `q` for every decoded query `q`.
    - What `check_prediction`, `combine` and `combine_batch` return is plain JSON: no NumPy value is left in it.
    - A member's malformed prediction costs its vote, not the answer.
    """

    #: `decode_query` takes NumPy arrays of 0..255, which the predictor can make of a query faster than lists.
    has_array_queries = False

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def check_dataset(self, path: str) -> None:
        """Reads a dataset file whole. Raises `InvalidDatasetFormatException`: which file, row and column, and what
        was expected. What is odd but usable is logged as a warning."""

    @abstractmethod
    def iterate(self, path: str) -> Iterator[Tuple[Any, Any]]:
        """The `(query, label)` pairs of a dataset file, one by one: queries as `predict` gets them, labels as plain
        Python values. Raises `InvalidDatasetFormatException`."""

    @abstractmethod
    def decode_query(self, query: Any) -> Any:
        """What a template's `predict` gets for a query that came as JSON (or already decoded).

        Raises `InvalidQueryError`, which says where the query is wrong and what was expected."""

    def encode_query(self, query: Any) -> Any:
        """The JSON form of a decoded query."""
        return to_json_value(query)

    @abstractmethod
    def check_prediction(self, query: Any, prediction: Any) -> Any:
        """A template's prediction for a decoded query, as plain JSON. Raises `InvalidPredictionError`."""

    def combine(self, predictions: Sequence[Any]) -> Any:
        """The ensemble's answer to one query from its members' predictions, best member first (at least one)."""
        return self.combine_batch([[prediction] for prediction in predictions])[0]

    @abstractmethod
    def combine_batch(self, members: Sequence[Sequence[Any]]) -> List[Any]:
        """The ensemble's answers to several queries: `members[m][q]` is member m's prediction for query q, best
        member first (at least one), the same number of predictions from each."""

    @abstractmethod
    def score(self, predictions: Sequence[Any], labels: Sequence[Any]) -> float:
        """How good predictions are, given the labels of `iterate`: higher is better.

        Raises `InvalidPredictionError` for one that is not what the task says, `ValueError` where there is none."""


_PLAIN_TYPES = frozenset([type(None), bool, int, float, str])


def to_json_value(value: Any) -> Any:
    """`value` with every NumPy array, NumPy scalar and tuple in it turned into plain Python."""
    if type(value) in _PLAIN_TYPES:
        return value
    if isinstance(value, np.ndarray):
        return to_json_value(value.tolist()) if value.dtype == object else value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [to_json_value(item) for item in value]
    if isinstance(value, dict):
        return {to_json_value(key): to_json_value(item) for key, item in value.items()}
    return value


def check_counts(predictions: Sequence[Any], labels: Sequence[Any]) -> None:
    """There is something to score, and one prediction per label."""
    if len(predictions) != len(labels):
        raise InvalidPredictionError(f"there are {len(predictions)} predictions for {len(labels)} labels")
    if len(labels) == 0:
        raise ValueError("there are no predictions to score")
