"""What the dataset scripts share: where their input files come from, and their command line's manners."""

import csv
import hashlib
import shutil
import sys
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

_DOWNLOADS = Path("data/downloads")
_TIMEOUT_S = 60
_CHUNK_BYTES = 1 << 18


class SourceError(Exception):
    """Input that is missing or isn't what it should be; says what was expected."""


def find_or_download(file_name: str, url: str, from_dir: str | None = None, md5: str | None = None) -> Path:
    """The path of an input file: in `from_dir` if given, else downloaded once into data/downloads.

    A download is checked against `md5` where that is known. Without its `.gz`, an unpacked file in `from_dir` is
    as good.
    """
    if from_dir is not None:
        names = [file_name, file_name.removesuffix(".gz")]
        found = [path for path in (Path(from_dir) / name for name in names) if path.is_file()]
        if not found:
            raise SourceError(f"there is no '{file_name}' in {from_dir}")
        return found[0]
    path = _DOWNLOADS / file_name
    if not path.is_file():
        _download(url, path, md5)
    return path


def _download(url: str, path: Path, md5: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(path.name + ".part")
    digest = hashlib.md5(usedforsecurity=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, partial_path.open("wb") as file:
            n_bytes = int(answer.headers.get("Content-Length") or 0) or None
            with Progress(*columns) as progress:
                task = progress.add_task(f"Downloading {path.name}", total=n_bytes)
                while chunk := answer.read(_CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    progress.advance(task, len(chunk))
    except OSError as error:
        partial_path.unlink(missing_ok=True)
        raise SourceError(f"{url} cannot be downloaded ({error}); download it otherwise and pass --from DIR") from error
    if md5 is not None and digest.hexdigest() != md5:
        partial_path.unlink()
        raise SourceError(f"{url} has the MD5 checksum {digest.hexdigest()}, expected {md5}")
    partial_path.replace(path)


def unpacked_files(archive_path: Path, suffix: str) -> dict[str, bytes]:
    """The files of a zip archive, or of a folder, whose names end in `suffix`, by path, in order."""
    if archive_path.is_dir():
        found = sorted(archive_path.rglob(f"*{suffix}"))
        return {str(path.relative_to(archive_path)): path.read_bytes() for path in found}
    with zipfile.ZipFile(archive_path) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist()) if name.endswith(suffix)}


def unpack(archive_path: Path) -> Path:
    """The folder with a tar archive's content, which is unpacked beside it once."""
    folder = archive_path.with_name(archive_path.name.split(".")[0])
    if not folder.is_dir():
        partial_folder = folder.with_name(folder.name + ".part")
        shutil.rmtree(partial_folder, ignore_errors=True)
        try:
            with tarfile.open(archive_path) as archive:
                archive.extractall(partial_folder, filter="data")  # nothing lands outside
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            shutil.rmtree(partial_folder, ignore_errors=True)
            raise SourceError(f"{archive_path} cannot be unpacked: {error}") from error
        partial_folder.rename(folder)
    return folder


def read_rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """The values of a CSV file's `columns`, whatever the case of their names in it, row by row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is not a CSV file: {error}") from error
    names = [name.strip().lower() for name in header]
    missing = [column for column in columns if column.lower() not in names]
    if missing:
        raise SourceError(f"{path} has no column {missing[0]!r}; expected {', '.join(columns)}")
    odd = [row for row in rows if len(row) != len(header)]
    if odd or len(rows) < 2:
        found = f"a row of {len(odd[0])} values" if odd else f"{len(rows)} rows"
        raise SourceError(f"{path} has {found}; expected at least 2 rows of {len(header)} values")
    places = [names.index(column.lower()) for column in columns]
    return [[row[place] for place in places] for row in rows]


def write_table(path: Path, separator: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [separator.join(map(str, row)) for row in (header, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """As `write_table`, with commas, and quotes where a value needs them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    print(f"{path}: {len(rows)} rows")


def check_shares(limit: int | None, *shares: float) -> None:
    """Shares of a dataset that become other datasets, and how many items of each to take."""
    if any(share <= 0 for share in shares) or sum(shares) >= 1:
        raise SourceError(f"the splits are {', '.join(map(str, shares))}, expected shares between 0 and 1")
    if limit is not None and limit < 1:
        raise SourceError(f"the limit is {limit}, expected at least 1")


def run_script(load: Callable[[], object]) -> None:
    """Runs a dataset script's work; what is wrong with its input is said in one line, without a traceback."""
    try:
        load()
    except SourceError as error:
        sys.exit(f"Error: {error}")
