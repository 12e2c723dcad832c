"""TABULAR_CLASSIFICATION: TABULAR; a query is a dict of features, a prediction the probabilities of k classes."""

from __future__ import annotations

from typing import Any, Dict, Hashable, Iterator, Optional, Sequence, Tuple

import numpy as np

from rafiki.model.dataset_tabular import TabularDataset, TabularFile, merge_class_values, sort_class_values
from rafiki.model.tabular_schema import TabularColumn
from rafiki.tasks import describing, examples
from rafiki.tasks.base import TrainArgs
from rafiki.tasks.probabilities import ProbabilityTask
from rafiki.tasks.tabular import TabularTask

#: More classes than this, and less than two rows of each: hardly what is to be learnt.
_MANY_CLASSES = 20


class TabularClassification(TabularTask, ProbabilityTask):
    """A class is the rank of a target among the different targets: numbers by value, text by code point."""

    def iterate(
        self, path: str, train_args: TrainArgs = None, others: Sequence[str] = ()
    ) -> Iterator[Tuple[Dict[str, Any], int]]:
        known = [self._load(other, train_args) for other in others[:1]]
        schema = known[0].schema if known else None
        known += [self._load(other, train_args, schema) for other in others[1:]]
        dataset = self._load(path, train_args, schema)
        class_values = merge_class_values(dataset.class_values, *(other.class_values for other in known))
        queries = (query for query, _ in dataset)
        return zip(queries, dataset.class_numbers(class_values).tolist())

    def _target_problem(self, file: TabularFile, column: TabularColumn, values: np.ndarray) -> Optional[str]:
        n_classes = len(sort_class_values(values[~column.find_missing(values)].tolist()))
        if n_classes == 1:
            return "has one value alone, so that there is nothing to learn"
        if n_classes > max(_MANY_CLASSES, len(values) // 2):
            return f"has {n_classes} different values in {len(values)} rows, each of which is a class"
        return super()._target_problem(file, column, values)

    def write_example(self, path: str) -> bool:
        examples.write_table(path, is_regression=False)
        return True

    def stats(self, path: str) -> Dict[str, Any]:
        return describing.table_stats(path, has_classes=True)

    def _split_labels(self, dataset: TabularDataset) -> Sequence[Hashable]:
        numbers: Sequence[Hashable] = dataset.class_numbers().tolist()
        return numbers
