"""What the dataset scripts share: where their input files come from, and their command line's manners."""

import hashlib
import sys
import urllib.request
import zipfile
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


def write_table(path: Path, separator: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [separator.join(map(str, row)) for row in (header, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_script(load: Callable[[], object]) -> None:
    """Runs a dataset script's work; what is wrong with its input is said in one line, without a traceback."""
    try:
        load()
    except SourceError as error:
        sys.exit(f"Error: {error}")
