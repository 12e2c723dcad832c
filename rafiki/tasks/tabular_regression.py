"""TABULAR_REGRESSION: TABULAR; a query is a dict of features, a prediction a number."""

from __future__ import annotations

import math
from typing import Any, Dict, Hashable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from rafiki.errors import InvalidPredictionError
from rafiki.model.dataset_tabular import TabularDataset, TabularFile
from rafiki.model.tabular_schema import NUMBER, TabularColumn, TabularSchema
from rafiki.tasks import describing, examples
from rafiki.tasks.base import TrainArgs, check_counts, to_json_value
from rafiki.tasks.tabular import TabularTask


class TabularRegression(TabularTask):
    """A prediction is a finite number; an ensemble answers with the mean. Scored by R²."""

    def iterate(
        self, path: str, train_args: TrainArgs = None, others: Sequence[str] = ()
    ) -> Iterator[Tuple[Dict[str, Any], float]]:
        schema = self._load(others[0], train_args).schema if others else None
        dataset = self._load(path, train_args, schema)
        return zip((query for query, _ in dataset), dataset.targets.tolist())

    def write_example(self, path: str) -> bool:
        examples.write_table(path, is_regression=True)
        return True

    def stats(self, path: str) -> Dict[str, Any]:
        return describing.table_stats(path, has_classes=False)

    def _check_columns(self, file: TabularFile, columns: Sequence[TabularColumn]) -> None:
        if not any(column.type == NUMBER for column in columns):
            file.fail("no column has numbers alone; expected one that does, as the target")

    def _target_problem(self, file: TabularFile, column: TabularColumn, values: np.ndarray) -> Optional[str]:
        if column.type != NUMBER:
            return f"has values that are no numbers ({column.type}), but a target is a number"
        return super()._target_problem(file, column, values)

    def _load(self, path: str, train_args: TrainArgs, schema: Optional[TabularSchema] = None) -> TabularDataset:
        dataset = super()._load(path, train_args, schema)
        target = dataset.schema.target
        if target.type != NUMBER:
            TabularFile(path).fail(
                f"column '{target.name}', the target, has values that are no numbers ({target.type}); expected "
                "numbers alone (the train argument `target` names another column)"
            )
        return dataset

    def _split_labels(self, dataset: TabularDataset) -> Sequence[Hashable]:
        return [0] * dataset.size

    def check_prediction(self, query: Any, prediction: Any) -> float:
        value = _as_number(prediction)
        if value is None:
            found = to_json_value(prediction)
            shown = str(found) if isinstance(found, float) else f"a {type(prediction).__name__}"
            raise InvalidPredictionError(f"a prediction is {shown}; expected a finite number")
        return value

    def combine_batch(self, members: Sequence[Sequence[Any]]) -> List[Any]:
        if len(members) == 1:
            alone: List[Any] = to_json_value(members[0])
            return alone
        return [_mean_of_valid(votes) for votes in zip(*members)]

    def score(self, predictions: Sequence[Any], labels: Sequence[float]) -> float:
        """R², the share of the labels' variance that is explained: 1 is perfect, 0 as good as the labels' mean.

        Of labels without variance: 1 if all predictions are right, else 0.
        """
        check_counts(predictions, labels)
        wanted = np.asarray(labels, np.float64)
        given = np.array([self.check_prediction(None, prediction) for prediction in predictions])
        residual = float(np.square(given - wanted).sum())
        total = float(np.square(wanted - wanted.mean()).sum())
        if total == 0:
            return float(residual == 0)
        return 1 - residual / total


def _as_number(prediction: Any) -> Optional[float]:
    value = to_json_value(prediction)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _mean_of_valid(votes: Sequence[Any]) -> Any:
    """The mean over the members that gave a number."""
    numbers = [number for number in map(_as_number, votes) if number is not None]
    return sum(numbers) / len(numbers) if numbers else to_json_value(votes[0])
