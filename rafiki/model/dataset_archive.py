"""The zip archives that datasets come in, read as what strangers may have made.

Members are read straight from the archive; nothing is extracted that nobody asked for, and no path leaves the
archive. Every failure is an `InvalidDatasetFormatException` that names the file, the row (the header is row 1) and
the column where there is one, and says what was expected.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import zipfile
import zlib
from typing import IO, Dict, Iterator, List, NoReturn, Optional, Sequence, Tuple, Type

from rafiki.errors import InvalidDatasetFormatException
from rafiki.model.atomic import new_file
from rafiki.model.dataset_csv import Record, read_records

#: All that is read from one archive may be this many times its size, or this many bytes, whichever is more.
#: Text and images compress 2 to 20 times; a zip bomb does so 1,000 times and more.
MAX_READ_RATIO = 200
MAX_READ_FLOOR = 256 << 20
#: Classes are numbers of positions in a list of probabilities: beyond this they are a mistake.
MAX_CLASS = 2**31 - 1

_PIECE_BYTES = 1 << 20
#: Of what stands before a member's bytes: the signature, the lengths of the name and of what follows it.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 1
_CLASS = re.compile(r"[0-9]+")


class Archive:
    """A dataset's zip file, open for reading. Use as a context manager."""

    def __init__(self, path: str, index_name: str) -> None:
        """Opens `path`, which must have `index_name` (say `images.csv`) at its root.

        Raises `OSError` where there is no such file, `InvalidDatasetFormatException` where it isn't such an archive.
        """
        self.path = os.fspath(path)
        self.index_name = index_name
        self.size_bytes = os.path.getsize(self.path)
        self._unread_bytes = max(self.size_bytes * MAX_READ_RATIO, MAX_READ_FLOOR)
        self._file = open(self.path, "rb")  # noqa: SIM115 (closed in `__exit__`)
        try:
            self._members, self._zip = self._open()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, traceback: object) -> None:
        self._zip.close()
        self._file.close()

    def _open(self) -> Tuple[Dict[str, zipfile.ZipInfo], zipfile.ZipFile]:
        try:
            archive = zipfile.ZipFile(self._file)
        # What a broken directory raises is anything from struct.error to UnicodeError.
        except Exception as error:  # noqa: BLE001
            expected = f"expected a .zip file with '{self.index_name}' at its root"
            self.fail(f"not a readable zip archive ({error}); {expected}", error)
        members = archive.NameToInfo
        if self.index_name not in members:
            nested = [name for name in members if name.endswith("/" + self.index_name)]
            found = f"found it at '{nested[0]}' (zip the folder's content, not the folder)" if nested else "found none"
            self.fail(f"expected a file '{self.index_name}' at the archive's root, {found}")
        return members, archive

    def fail(self, message: str, cause: Optional[BaseException] = None) -> NoReturn:
        raise InvalidDatasetFormatException(f"{os.path.basename(self.path)}: {message}") from cause

    def fail_at(self, row: int, column: Optional[str], message: str, cause: Optional[BaseException] = None) -> NoReturn:
        """Fails for a place in the archive's index file."""
        place = f"{self.index_name}, row {row}" + (f", column '{column}'" if column else "")
        self.fail(f"{place}: {message}", cause)

    def read(self, name: str) -> bytes:
        """One member's bytes. `name` must be in the archive."""
        self._count_read(name)
        data = self._read_plainly(self._members[name])
        if data is not None:
            return data
        with self._reading(name):
            return self._zip.read(self._members[name])

    def _read_plainly(self, info: zipfile.ZipInfo) -> Optional[bytes]:
        """The bytes of a member that is intact and of a usual kind, several times faster than `zipfile` reads it.

        None where it is not: `zipfile` then reads it, or says what is wrong."""
        is_plain = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & _ENCRYPTED
        if not is_plain or info.compress_size > self.size_bytes:
            return None
        try:
            self._file.seek(info.header_offset)
            signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
            self._file.seek(name_bytes + extra_bytes, os.SEEK_CUR)
            data = self._file.read(info.compress_size)
            if info.compress_type == zipfile.ZIP_DEFLATED:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, info.file_size + 1)
        except (struct.error, zlib.error, ValueError, OSError, OverflowError):
            return None
        is_intact = signature == b"PK\3\4" and len(data) == info.file_size and zlib.crc32(data) == info.CRC
        return data if is_intact else None

    def extract(self, name: str, path: str) -> None:
        """Writes one member's bytes to the file `path`, its folder made where needed; there whole or not at all.

        `name` must be one that `check_path` gave, so that it leads out of no folder.
        """
        self._count_read(name)
        with new_file(path) as file:
            self._copy(name, file)

    def _copy(self, name: str, file: IO[bytes]) -> None:
        """Copies in pieces, so that large members need little memory. A full disk stays an `OSError`."""
        with self._reading(name):
            member = self._zip.open(self._members[name])
        with member:
            while True:
                with self._reading(name):
                    piece = member.read(_PIECE_BYTES)
                if not piece:
                    return
                file.write(piece)

    def _count_read(self, name: str) -> None:
        """Fails where this member makes what was read more than such an archive may hold."""
        # zipfile stops at the declared size, so what is declared is a bound, whatever the bytes expand to.
        self._unread_bytes -= self._members[name].file_size
        if self._unread_bytes < 0:
            self.fail(
                f"'{name}' and what was read before it expand to over {MAX_READ_RATIO} times the archive's size of "
                f"{self.size_bytes} bytes; expected a dataset, this looks like a zip bomb"
            )

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        # Each compression has errors of its own, and encryption raises RuntimeError.
        except Exception as error:  # noqa: BLE001
            self.fail(f"'{name}' cannot be read from the archive ({error}); expected an intact, unencrypted zip", error)

    def read_text(self) -> str:
        """The index file's text: UTF-8, with or without a byte order mark, without NUL characters."""
        data = self.read(self.index_name)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            row = data.count(b"\n", 0, error.start) + 1
            self.fail_at(row, None, f"byte 0x{data[error.start]:02x} is not UTF-8; expected UTF-8 text", error)
        nul = text.find("\0")
        if nul >= 0:
            self.fail_at(text.count("\n", 0, nul) + 1, None, "a NUL character; expected plain text")
        return text

    def read_table(self, required: Sequence[str]) -> Tuple[List[str], Iterator[Record]]:
        """The index file's column names, among them the `required` ones, and its rows.

        Empty lines are passed over. A row has a cell for each column; those missing at its end are empty, unless they
        are of a required column.
        """
        records = self.read_records()
        first = next(records, None)
        header = [name.strip() for name in first.cells] if first else []
        n_needed = max(self.find_columns(header, required)) + 1
        return header, self._rows(records, header, n_needed)

    def read_records(self) -> Iterator[Record]:
        """The index file's rows of CSV as they are, header first."""
        return read_records(io.StringIO(self.read_text(), newline=""), self.fail_at)

    def _rows(self, records: Iterator[Record], header: Sequence[str], n_needed: int) -> Iterator[Record]:
        for record in records:
            n_missing = len(header) - len(record.cells)
            if not record.cells:
                continue
            if len(record.cells) < n_needed:
                found = f"the row has {_count(len(record.cells), 'value')}; expected {len(header)}, as in the header"
                self.fail_at(record.row, header[n_needed - 1], found)
            yield record if n_missing <= 0 else record._replace(cells=record.cells + [""] * n_missing)

    def find_columns(self, header: Sequence[str], columns: Sequence[str]) -> List[int]:
        """The positions of `columns` in the index file's header."""
        names = [name.strip() for name in header]
        for column in columns:
            if column not in names:
                found = ", ".join(f"'{name}'" for name in names[:10]) or "an empty file"
                self.fail_at(1, None, f"no column '{column}'; expected {_quoted(columns)}, found {found}")
        return [names.index(column) for column in columns]

    def parse_class(self, text: str, row: int, column: str) -> int:
        """A class or tag number."""
        digits = text.strip()
        if not _CLASS.fullmatch(digits) or len(digits) > 10 or int(digits) > MAX_CLASS:
            self.fail_at(row, column, f"expected an integer from 0 to {MAX_CLASS}, got {shorten(text)}")
        return int(digits)

    def check_path(self, name: str, row: int, column: str, suffixes: Sequence[str]) -> str:
        """The member's name that a cell of the index file names: relative, inside the archive, of a known kind."""
        if name in self._members and ".." not in name and name[0] != "/" and name.lower().endswith(tuple(suffixes)):
            return name
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts:
            self.fail_at(row, column, f"expected a path inside the archive, relative to its root, got {shorten(name)}")
        if not name.lower().endswith(tuple(suffixes)):
            self.fail_at(row, column, f"expected a path that ends in {' or '.join(suffixes)}, got {shorten(name)}")
        member = name if name in self._members else "/".join(parts)
        if member not in self._members:
            self.fail_at(row, column, f"expected the path of a file in the archive, but it has no {shorten(name)}")
        return member


def shorten(text: str) -> str:
    """A value as an error message shows it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
