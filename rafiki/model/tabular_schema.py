"""What the columns of a table are, and how a cell of CSV or a query's value becomes a value of a column's type."""

from __future__ import annotations

import json
import math
from typing import Any, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

NUMBER, BOOLEAN, CATEGORY, TEXT = "number", "boolean", "category", "text"

#: What programs write for a number that they do not have, in lower case.
_NO_NUMBERS = frozenset(["na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "?"])
_BOOLEANS = {"true": True, "false": False}

#: A value of a table: a float (NaN where it is missing) of a column of numbers, else a bool or str or None.
Value = Union[float, bool, str, None]
#: What a target can be: a number (an int where it is whole), a bool or a text.
ClassValue = Union[int, float, bool, str]


class TabularColumn(NamedTuple):
    """One column of a table: its name, its type, and, of the type `category`, its categories by code point."""

    name: str
    type: str
    categories: Tuple[str, ...] = ()

    def read(self, value: Any) -> Value:
        """A cell of CSV, or a query's value, as a value of this column. What it cannot be is missing.

        Text of a number is that number, and the other way around; spaces around text do not count.
        """
        if value is None or isinstance(value, (list, tuple, dict)):
            return math.nan if self.type == NUMBER else None
        if self.type == NUMBER:
            number = read_number(value) if isinstance(value, str) else _to_float(value)
            return math.nan if number is None or math.isinf(number) else number
        if self.type == BOOLEAN:
            return _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else bool(value)
        if isinstance(value, str):
            return value.strip() or None
        if isinstance(value, float):
            return None if math.isnan(value) else str(to_plain(value))
        return str(value)

    def read_all(self, texts: Sequence[str]) -> np.ndarray:
        """What `read` and `to_array` make of many cells, in a fraction of the time."""
        numbers = read_plain_numbers(texts) if self.type == NUMBER else None
        if numbers is not None:
            return np.where(np.isinf(numbers), math.nan, numbers)
        values = {text: self.read(text) for text in set(texts)}
        return self.to_array([values[text] for text in texts])

    def to_array(self, values: Sequence[Value]) -> np.ndarray:
        """Values of this column: float64 if of numbers, else objects, with None for what is missing."""
        return np.array(values, np.float64 if self.type == NUMBER else object)

    def find_missing(self, values: np.ndarray) -> np.ndarray:
        """Of each value of an array, whether it is missing."""
        return np.isnan(values) if self.type == NUMBER else np.array([value is None for value in values], bool)

    def to_matrix(self, values: np.ndarray, one_hot: bool) -> np.ndarray:
        """What `to_array` gave as columns of numbers: see `TabularSchema.to_matrix`."""
        if self.type == NUMBER:
            return values.reshape(-1, 1)
        if self.type == BOOLEAN:
            return np.array([math.nan if value is None else value for value in values], np.float64).reshape(-1, 1)
        if self.type == TEXT:
            return np.empty((len(values), 0))
        positions = {category: i for i, category in enumerate(self.categories)}
        if not one_hot:
            codes = [positions.get(value, math.nan) for value in values]
            return np.array(codes, np.float64).reshape(-1, 1)
        found = np.array([positions.get(value, -1) for value in values], np.int64)
        is_category: np.ndarray = found.reshape(-1, 1) == np.arange(len(positions))
        return is_category.astype(np.float64)


def read_plain_numbers(texts: Iterable[str]) -> Optional[np.ndarray]:
    """The numbers that cells say, or None where one of them is not simply a number."""
    try:
        numbers = np.array(list(map(float, texts)), np.float64)
    except ValueError:
        return None
    # Python reads 1_000 as a number, and nobody else does.
    return None if "_" in "".join(texts) else numbers


def read_number(text: str) -> Optional[float]:
    """The number that a cell says, NaN where it is empty or says that there is none, None where it says neither."""
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        stripped = text.strip().lower()
        return math.nan if not stripped or stripped in _NO_NUMBERS else None


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an int beyond all floats
        return math.inf


def is_boolean(text: str) -> bool:
    return text.strip().lower() in _BOOLEANS


def to_plain(value: Value) -> Union[ClassValue, None]:
    """A value as JSON has it: None where it is missing, an int where a number is whole."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else float(value)
    return value


class TabularSchema:
    """The features of a table with their types, and its target: all that is needed to read more rows of it.

    A template keeps the schema of its training data with its parameters (`to_json`), reads validation data with it
    (`load_dataset_of_tabular(path, schema=schema)`), and turns queries into what it was trained on (`to_matrix`).
    """

    def __init__(self, features: Sequence[TabularColumn], target: TabularColumn) -> None:
        self.features = list(features)
        self.target = target

    @property
    def feature_names(self) -> List[str]:
        return [column.name for column in self.features]

    def to_json(self) -> str:
        """The schema as text, which `from_json` reads."""
        return json.dumps({"features": [list(column) for column in self.features], "target": list(self.target)})

    @staticmethod
    def from_json(text: str) -> TabularSchema:
        schema = json.loads(text)
        features = [TabularColumn(name, kind, tuple(categories)) for name, kind, categories in schema["features"]]
        name, kind, categories = schema["target"]
        return TabularSchema(features, TabularColumn(name, kind, tuple(categories)))

    def read_query(self, query: Mapping[str, Any]) -> List[Value]:
        """A query, a dict of feature name to value, as a row: one value per feature, in order, each of its type.

        Features that are absent or None are missing; what is no feature is passed over.
        """
        return [column.read(query.get(column.name)) for column in self.features]

    def to_matrix(self, queries: Iterable[Mapping[str, Any]], one_hot: bool = False) -> np.ndarray:
        """Queries as a float64 matrix, one row each, with the columns that `matrix_columns` names.

        A missing number or boolean is NaN. A category is its position among the column's categories, NaN where it is
        missing or not one of them; with `one_hot`, each category is a column of its own, of 0 and 1, and all of them
        are 0 then. Columns of text are left out: a template that can read text takes it from the queries.
        """
        rows = [self.read_query(query) for query in queries]
        values = zip(*rows) if rows else [()] * len(self.features)
        arrays = [column.to_array(list(of_column)) for column, of_column in zip(self.features, values)]
        return self.arrays_to_matrix(arrays, one_hot)

    def arrays_to_matrix(self, arrays: Sequence[np.ndarray], one_hot: bool = False) -> np.ndarray:
        """What `to_matrix` does, for one array of typed values per feature."""
        return np.hstack([column.to_matrix(values, one_hot) for column, values in zip(self.features, arrays)])

    def matrix_columns(self, one_hot: bool = False) -> List[str]:
        """The names of the columns of `to_matrix`: features, and `feature=category` with `one_hot`."""
        names: List[str] = []
        for column in self.features:
            if column.type == CATEGORY and one_hot:
                names += [f"{column.name}={category}" for category in column.categories]
            elif column.type != TEXT:
                names.append(column.name)
        return names
