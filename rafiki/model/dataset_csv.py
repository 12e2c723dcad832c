"""CSV as strangers write it: rows with their numbers and their text, and files of it that are datasets."""

from __future__ import annotations

import csv
import os
from typing import Callable, Iterable, Iterator, List, NamedTuple, NoReturn, Optional

from rafiki.errors import InvalidDatasetFormatException

#: Fails for a place in a file: the row, the column if it is one's, what was expected, the cause if there is one.
FailAt = Callable[[int, Optional[str], str, Optional[BaseException]], NoReturn]


class Record(NamedTuple):
    """One row of a CSV file, which may be of several lines where a quoted cell is."""

    row: int  # the number of its last line; the header is row 1
    cells: List[str]
    text: str  # as it stands in the file, with its line's end


def read_records(lines: Iterable[str], fail_at: FailAt, skip_spaces: bool = False) -> Iterator[Record]:
    """The rows of a CSV text, header first; an empty line is one without cells.

    With `skip_spaces`, those after a comma do not count (else a quote after one would not be a quote).
    """
    pending: List[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            pending.append(line)
            yield line

    reader = csv.reader(remembered(), strict=True, skipinitialspace=skip_spaces)
    try:
        for cells in reader:
            yield Record(reader.line_num, cells, "".join(pending))
            pending.clear()
    except csv.Error as error:
        if "unexpected end" in str(error):
            row = reader.line_num - len(pending) + 1
            fail_at(row, None, "a quote that is opened here is never closed; expected quotes in pairs", error)
        if "field limit" in str(error):
            row = reader.line_num - len(pending) + 1
            message = (
                f"a value of more than {csv.field_size_limit()} characters; expected a shorter one, or closed quotes"
            )
            fail_at(row, None, message, error)
        fail_at(reader.line_num, None, f"not a row of CSV ({error})", error)


class CsvFile:
    """A dataset that is a single CSV file with a header: UTF-8, with or without a byte order mark."""

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)

    def fail(self, message: str, cause: Optional[BaseException] = None) -> NoReturn:
        raise InvalidDatasetFormatException(f"{os.path.basename(self.path)}: {message}") from cause

    def fail_at(self, row: int, column: Optional[str], message: str, cause: Optional[BaseException] = None) -> NoReturn:
        self.fail(f"row {row}" + (f", column '{column}'" if column else "") + f": {message}", cause)

    def records(self) -> Iterator[Record]:
        """All rows, header first. Each but an empty line has as many cells as the header.

        Raises `OSError` where there is no such file, `InvalidDatasetFormatException` where it isn't CSV.
        """
        with open(self.path, encoding="utf-8-sig", newline="") as file:
            records = read_records(self._plain_lines(file), self.fail_at, skip_spaces=True)
            try:
                header = next(records, None)
                if header is None:
                    self.fail("the file is empty; expected a header and rows")
                yield header
                n_cells = len(header.cells)
                for record in records:
                    if len(record.cells) != n_cells and record.cells:
                        self._fail_for_length(record, n_cells)
                    yield record
            except UnicodeDecodeError as error:
                self._fail_for_encoding(error)

    def _plain_lines(self, lines: Iterable[str]) -> Iterator[str]:
        for row, line in enumerate(lines, start=1):
            if "\0" in line:
                self.fail_at(row, None, "a NUL character; expected plain text")
            yield line

    def _fail_for_length(self, record: Record, n_expected: int) -> NoReturn:
        n_found = len(record.cells)
        values = "value" if n_found == 1 else "values"
        self.fail_at(
            record.row,
            None,
            f"the row has {n_found} {values}; expected {n_expected}, as in the header (a value with a comma or a "
            "line's end in it stands in double quotes)",
        )

    def _fail_for_encoding(self, cause: UnicodeDecodeError) -> NoReturn:
        """Files are decoded by the block, so where it is must be found."""
        with open(self.path, "rb") as file:
            for row, line in enumerate(file, start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as error:
                    message = f"byte 0x{line[error.start]:02x} is not UTF-8; expected CSV in UTF-8 (no spreadsheet)"
                    self.fail_at(row, None, message, error)
        self.fail("expected UTF-8 text", cause)
