"""Datasets of type TABULAR: a CSV file with a header, whose columns get types."""

from __future__ import annotations

import csv
import operator
from itertools import islice
from typing import Any, Dict, Iterable, Iterator, List, NoReturn, Optional, Sequence, Set, Tuple, cast

import numpy as np

from rafiki.model.dataset_archive import shorten
from rafiki.model.dataset_csv import CsvFile, Record
from rafiki.model.tabular_schema import (
    BOOLEAN,
    CATEGORY,
    NUMBER,
    TEXT,
    ClassValue,
    TabularColumn,
    TabularSchema,
    Value,
    is_boolean,
    read_number,
    read_plain_numbers,
    to_plain,
)

#: A column of text that repeats is one of categories: with at most this many different texts in any case, with at most
#: `MAX_CATEGORIES` where each stands there twice on average.
FEW_CATEGORIES = 10
MAX_CATEGORIES = 255

#: Few enough to stay in a processor's cache.
_CHUNK_ROWS = 256
_BLOCK_BYTES = 1 << 20


class TabularDataset:
    """Rows of typed features, each with a target: `dataset[i]` and iteration give `(features, target)`.

    `features` is a dict as a query is: feature name to number (an int where it is whole), bool, text or None, in the
    columns' order; the target is a number, bool or text. `size` is the number of rows, `schema` the columns' types.
    By column: `columns[name]` and `targets` are arrays, float64 with NaN for what is missing where the column is of
    numbers, else of objects with None for what is missing. A target is never missing.
    """

    def __init__(
        self,
        dataset_path: str,
        features: Optional[Sequence[str]] = None,
        target: Optional[str] = None,
        schema: Optional[TabularSchema] = None,
    ) -> None:
        """`target` is the last column by default, `features` all others; with `schema`, both and their types are its.

        Without `schema`, a column is of numbers or of booleans (`true`, `false`) if all that is not missing in it is.
        Others are of categories where few texts repeat, else of text. An empty cell is missing, and so is, in a
        column of numbers, `NA`, `null` and the like, and whatever is infinite.
        """
        self.path = dataset_path
        file = TabularFile(dataset_path)
        self.schema = schema or choose_columns(file, scan_columns(file), features, target)
        target_column = self.schema.target
        *arrays, self.targets = read_columns(file, [*self.schema.features, target_column], required=target_column)
        self.columns: Dict[str, np.ndarray] = dict(zip(self.schema.feature_names, arrays))
        self.size = len(self.targets)
        self._class_values: Optional[List[ClassValue]] = None

    @property
    def class_values(self) -> List[ClassValue]:
        """The different targets: numbers by value, text by code point. A target's position here is its class."""
        if self._class_values is None:
            self._class_values = sort_class_values(self.targets.tolist())
        return self._class_values

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_values)

    def class_numbers(self, class_values: Optional[Sequence[ClassValue]] = None) -> np.ndarray:
        """The targets as positions in `class_values` (default: those of this dataset); -1 for one that isn't there."""
        known = self.class_values if class_values is None else class_values
        positions = {value: i for i, value in enumerate(known)}
        return np.array([positions.get(value, -1) for value in self.targets.tolist()], np.int64)

    def to_matrix(self, one_hot: bool = False) -> np.ndarray:
        """The features as a float64 matrix: see `TabularSchema.to_matrix`, which does the same with queries."""
        return self.schema.arrays_to_matrix(list(self.columns.values()), one_hot)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Tuple[Dict[str, Any], ClassValue]:
        i = operator.index(index)
        target = to_plain(self.targets[i])
        return {name: to_plain(values[i]) for name, values in self.columns.items()}, cast(ClassValue, target)

    def __iter__(self) -> Iterator[Tuple[Dict[str, Any], ClassValue]]:
        return map(self.__getitem__, range(self.size))


class TabularFile(CsvFile):
    """A CSV file whose header names at least two columns, each once."""

    def read_header(self) -> List[str]:
        return next(self.rows()).cells

    def rows(self) -> Iterator[Record]:
        """The header, its names checked, then all rows that aren't empty lines."""
        records = self.records()
        header = next(records)
        names = [name.strip() for name in header.cells]
        self._check_names(names)
        yield header._replace(cells=names)
        for record in records:
            if record.cells:
                yield record

    def chunks(self, places: Sequence[int]) -> Iterator[List[Tuple[str, ...]]]:
        """The cells of each column of `places`, some rows at a time; many times faster than `rows`."""
        if self._has_nul():  # which Python's readers of CSV do not all refuse
            self._fail_at_fault()
        with open(self.path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            try:
                n_cells = len(next(reader, []))
                while True:
                    chunk = list(islice(reader, _CHUNK_ROWS))
                    if not chunk:
                        return
                    rows = [row for row in chunk if row]
                    if any(len(row) != n_cells for row in rows):
                        self._fail_at_fault()
                    columns = list(zip(*rows)) or [()] * n_cells
                    yield [columns[place] for place in places]
            except (csv.Error, UnicodeDecodeError):
                self._fail_at_fault()

    def row_number(self, i: int) -> int:
        """The number of the i-th row beneath the header, from 0."""
        return next(islice(self.rows(), i + 1, None)).row

    def _has_nul(self) -> bool:
        with open(self.path, "rb") as file:
            return any(b"\0" in block for block in iter(lambda: file.read(_BLOCK_BYTES), b""))

    def _fail_at_fault(self) -> NoReturn:
        for _ in self.rows():  # fails where the fault is
            pass
        self.fail("expected rows of CSV")

    def find_columns(self, names: Sequence[str]) -> List[int]:
        header = self.read_header()
        for name in names:
            if name not in header:
                self.fail_at(1, None, f"no column {shorten(str(name))}; found {_listed(header)}")
        return [header.index(name) for name in names]

    def _check_names(self, names: List[str]) -> None:
        if len(names) < 2:
            found = "none" if names in ([], [""]) else f"only {shorten(names[0])}"
            self.fail_at(1, None, f"expected a header of at least two names, separated by commas, found {found}")
        for i, name in enumerate(names):
            if not name:
                hint = "a table's index is no column: pandas leaves it out with `to_csv(..., index=False)`"
                self.fail_at(1, None, f"column {i + 1} has no name; expected a name for every column ({hint})")
            if name in names[:i]:
                self.fail_at(1, name, "two columns have this name; expected different names")


class ColumnScan:
    """What the texts of a column say of its type, fed by the chunk, in bounded memory."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._all_numbers = True
        self._all_booleans = True
        self._n_present = 0
        self._texts: Set[str] = set()  # no more is added once there are too many for categories

    def add(self, texts: Sequence[str]) -> None:
        distinct = set(texts)
        if self._all_numbers and read_plain_numbers(distinct) is None:
            self._all_numbers = all(read_number(text) is not None for text in distinct)
        has_room = len(self._texts) <= MAX_CATEGORIES
        if self._all_booleans or has_room:
            present = {text.strip() for text in distinct} - {""}
            self._all_booleans = self._all_booleans and all(map(is_boolean, present))
            if has_room:
                self._texts |= present
        self._n_present += len(texts) - texts.count("")

    def column(self) -> TabularColumn:
        if self._all_numbers:
            return TabularColumn(self._name, NUMBER)
        if self._all_booleans:
            return TabularColumn(self._name, BOOLEAN)
        n = len(self._texts)
        if n <= FEW_CATEGORIES or (n <= MAX_CATEGORIES and 2 * n <= self._n_present):
            return TabularColumn(self._name, CATEGORY, tuple(sorted(self._texts)))
        return TabularColumn(self._name, TEXT)


def scan_columns(file: TabularFile) -> List[TabularColumn]:
    """All columns with their types. Reads the file whole; fails where it has no rows."""
    scans = [ColumnScan(name) for name in file.read_header()]
    n_rows = 0
    for columns in file.chunks(range(len(scans))):
        n_rows += len(columns[0])
        for scan, texts in zip(scans, columns):
            scan.add(texts)
    if n_rows == 0:
        file.fail("there are no rows; expected at least one beneath the header")
    return [scan.column() for scan in scans]


def choose_columns(
    file: TabularFile, columns: Sequence[TabularColumn], features: Optional[Sequence[str]], target: Optional[str]
) -> TabularSchema:
    """The schema of these features and this target, by default the last column and all others."""
    names = [column.name for column in columns]
    target = names[-1] if target is None else target
    if features is None:
        features = [name for name in names if name != target]
    if isinstance(features, str) or len(features) == 0:
        file.fail(f"`features` is {features!r}; expected a list of at least one column's name")
    file.find_columns([target, *features])
    if target in features:
        file.fail(f"`features` has the target {shorten(target)}; expected other columns (`target` names another)")
    repeated = [name for i, name in enumerate(features) if name in features[:i]]
    if repeated:
        file.fail(f"`features` has {shorten(repeated[0])} twice; expected each column once")
    by_name = dict(zip(names, columns))
    return TabularSchema([by_name[name] for name in features], by_name[target])


def sort_class_values(values: Iterable[Value]) -> List[ClassValue]:
    """Each value once: numbers by value (as ints where they are whole), text by code point."""
    distinct = {cast(ClassValue, to_plain(value)) for value in values}
    return sorted(distinct, key=lambda value: (isinstance(value, str), value))


def merge_class_values(*lists: Iterable[ClassValue]) -> List[ClassValue]:
    """The classes of several datasets taken together, in the order of `TabularDataset.class_values`."""
    return sort_class_values(value for values in lists for value in values)


def spread_probabilities(
    probabilities: Any, class_values: Sequence[ClassValue], all_class_values: Sequence[ClassValue]
) -> np.ndarray:
    """Probabilities, N x k for `class_values`, as N x K for `all_class_values`: 0 for those of which none is known."""
    known = np.asarray(probabilities, np.float64)
    spread = np.zeros((len(known), len(all_class_values)))
    spread[:, [all_class_values.index(value) for value in class_values]] = known
    return spread


def read_columns(
    file: TabularFile, columns: Sequence[TabularColumn], required: Optional[TabularColumn] = None
) -> List[np.ndarray]:
    """The values of columns, one array each. Fails where a value of `required`, one of them, is missing."""
    places = file.find_columns([column.name for column in columns])
    parts: List[List[np.ndarray]] = [[] for _ in columns]
    for chunk in file.chunks(places):
        for column, texts, of_column in zip(columns, chunk, parts):
            of_column.append(column.read_all(texts))
    arrays = [np.concatenate(of_column) if of_column else np.empty(0) for of_column in parts]
    if len(arrays[0]) == 0:
        file.fail("there are no rows; expected at least one beneath the header")
    if required is not None:
        _check_present(file, required, arrays[columns.index(required)])
    return arrays


def _check_present(file: TabularFile, column: TabularColumn, values: np.ndarray) -> None:
    is_missing = column.find_missing(values)
    if is_missing.any():
        row = file.row_number(int(is_missing.argmax()))
        kind = {NUMBER: "a number", BOOLEAN: "true or false"}.get(column.type, "a text")
        file.fail_at(row, column.name, f"no value; expected {kind}, for a target is never missing")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shorten, names[:20])) + (", ..." if len(names) > 20 else "")
