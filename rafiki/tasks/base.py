"""What every task offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from rafiki.errors import InvalidDatasetFormatException, InvalidPredictionError

#: The arguments of a train job for its templates, by name.
TrainArgs = Optional[Mapping[str, Any]]


class Task(ABC):
    """Guarantees, for every task:

    - Nothing here keeps state: one object may be used from any number of threads.
    - `decode_query(encode_query(q))` equals `q` for every decoded query `q`.
    - What `check_prediction`, `combine` and `combine_batch` return is plain JSON: no NumPy value is left in it.
    - A member's malformed prediction costs its vote, not the answer.
    """

    #: `decode_query` takes NumPy arrays of 0..255, which the predictor can make of a query faster than lists.
    has_array_queries = False

    #: A query is a row of a table: queries may come as CSV, too.
    has_row_queries = False

    def __init__(self, name: str) -> None:
        self.name = name

    def check_structure(self, path: str) -> None:
        """Checks of a dataset file what can be seen at once: its kind, its columns, its first rows, what it names.

        Raises `InvalidDatasetFormatException` as `check_dataset` does, which reads the rest."""
        self.check_dataset(path)

    @abstractmethod
    def check_dataset(self, path: str, train_args: TrainArgs = None) -> None:
        """Reads a dataset file whole. Raises `InvalidDatasetFormatException`: which file, row and column, and what
        was expected. What is odd but usable is logged as a warning.

        `train_args` are those of a train job, if it is checked for one (tabular tasks read `features` and `target`).
        """

    @abstractmethod
    def iterate(self, path: str, train_args: TrainArgs = None, others: Sequence[str] = ()) -> Iterator[Tuple[Any, Any]]:
        """The `(query, label)` pairs of a dataset file, one by one: queries as `predict` gets them, labels as plain
        Python values. Raises `InvalidDatasetFormatException`.

        `train_args` are those of the train job, and `others` its other dataset files, the training data first: a
        tabular class is a rank among the targets of all of them."""

    def stats(self, path: str) -> Dict[str, Any]:
        """What people want to know of a dataset at a glance, as JSON: `n_items`, and more by task. `{}` if unknown."""
        return {}

    def write_example(self, path: str) -> bool:
        """Writes a tiny dataset for a template to be tried out on. False: nothing is known of the task's format."""
        return False

    def preview(self, path: str, limit: int) -> List[Dict[str, Any]]:
        """At most `limit` items from all over a dataset, as JSON that a page can show: `{"query", "label"}`."""
        return []

    def split(
        self,
        path: str,
        out_paths: Sequence[str],
        fractions: Sequence[float],
        seed: int,
        train_args: TrainArgs = None,
    ) -> List[int]:
        """Splits a dataset into files of the same format; the numbers of items in them.

        Each item goes into one part, as it stands in the file. Classes are spread over the parts as `fractions` says
        (which sum to 1), and the first part has every class; the same arguments always give the same files. Raises
        `InvalidDatasetFormatException` where the dataset cannot be split.
        """
        raise InvalidDatasetFormatException(
            f"a dataset of the task {self.name} cannot be split, because its format is not known",
            "give a dataset for validation too",
        )

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

    def doubt(self, predictions: Sequence[Any], paths: Sequence[str]) -> Optional[str]:
        """What is odd about predictions that can be served, given a train job's datasets. None: nothing."""
        return None

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
