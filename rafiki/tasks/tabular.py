"""What the tasks on tables share: a dataset is a CSV file, a query a dict of feature name to value."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from itertools import islice
from typing import Any, Dict, Hashable, List, Optional, Sequence

import numpy as np

from rafiki.errors import InvalidQueryError
from rafiki.model.dataset_tabular import TabularDataset, TabularFile, read_columns, scan_columns
from rafiki.model.tabular_schema import TabularColumn, TabularSchema
from rafiki.tasks import describing, splitting
from rafiki.tasks.base import Task, TrainArgs, to_json_value

_log = logging.getLogger(__name__)

_N_ROWS_AT_ONCE = 1000
_EXPECTED = "expected a number, a text, true, false, or null for what is missing"


class TabularTask(Task, ABC):
    """A decoded query is a dict of feature name to float, int, bool, str or None (missing), in the order it came.

    Which features there are is known to the template alone: any name is taken, and any may be absent.
    The train arguments `features` and `target` choose columns: by default the last is the target, all others features.
    """

    has_row_queries = True

    def check_structure(self, path: str) -> None:
        file = TabularFile(path)
        if not list(islice(file.rows(), 1, _N_ROWS_AT_ONCE)):
            file.fail("there are no rows; expected at least one beneath the header")

    def check_dataset(self, path: str, train_args: TrainArgs = None) -> None:
        """Without `train_args`, the target may be any column that can be one."""
        if train_args is None:
            file = TabularFile(path)
            columns = scan_columns(file)
            self._check_columns(file, columns)
            self._warn_of(file, columns)
        else:
            self._load(path, train_args)

    def _check_columns(self, file: TabularFile, columns: Sequence[TabularColumn]) -> None:
        """Fails where none of the columns can be a target."""

    def _warn_of(self, file: TabularFile, columns: Sequence[TabularColumn]) -> None:
        """Says of columns without values, and of a last column that cannot be, or hardly is, the target."""
        arrays = read_columns(file, columns)
        for column, values in zip(columns, arrays):
            if column.find_missing(values).all():
                _log.warning("column '%s' has no value in any row", column.name)
        problem = self._target_problem(file, columns[-1], arrays[-1])
        if problem is not None:
            right = "it is the target of a train job unless the train argument `target` names another"
            _log.warning("column '%s', the last one, %s; %s", columns[-1].name, problem, right)

    def _target_problem(self, file: TabularFile, column: TabularColumn, values: np.ndarray) -> Optional[str]:
        """Why a column cannot be, or hardly is, the target; None where it may well be."""
        is_missing = column.find_missing(values)
        if not is_missing.any():
            return None
        n_rows, row = int(is_missing.sum()), file.row_number(int(is_missing.argmax()))
        return f"has no value in {n_rows} of {len(values)} rows, first in row {row}, but a target is never missing"

    def preview(self, path: str, limit: int) -> List[Dict[str, Any]]:
        return describing.table_preview(path, limit)

    def split(
        self,
        path: str,
        out_paths: Sequence[str],
        fractions: Sequence[float],
        seed: int,
        train_args: TrainArgs = None,
    ) -> List[int]:
        labels = self._split_labels(self._load(path, train_args))
        return splitting.split_table(path, out_paths, fractions, seed, labels)

    @abstractmethod
    def _split_labels(self, dataset: TabularDataset) -> Sequence[Hashable]:
        """Of each row the label by which rows are spread over parts."""

    def _load(self, path: str, train_args: TrainArgs, schema: Optional[TabularSchema] = None) -> TabularDataset:
        chosen = train_args or {}
        return TabularDataset(path, chosen.get("features"), chosen.get("target"), schema)

    def decode_query(self, query: Any) -> Dict[str, Any]:
        if not isinstance(query, dict):
            raise InvalidQueryError(f"query is a {type(query).__name__}, expected an object of feature name to value")
        return {_decode_name(name): _decode_value(name, value) for name, value in query.items()}


def _decode_name(name: Any) -> str:
    if not isinstance(name, str):
        raise InvalidQueryError(f"query has the key {name!r}, expected a feature's name, a string")
    return name


def _decode_value(name: Any, value: Any) -> Any:
    plain = to_json_value(value)
    if plain is None or isinstance(plain, (bool, int, str)):
        return plain
    if not isinstance(plain, float):
        raise InvalidQueryError(f"query[{name!r}] is a {type(value).__name__}, {_EXPECTED}")
    if math.isinf(plain):
        raise InvalidQueryError(f"query[{name!r}] is infinite, {_EXPECTED}")
    return None if math.isnan(plain) else plain
