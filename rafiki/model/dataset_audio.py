"""Datasets of type AUDIO_FILES: a zip with `audios.csv` and the WAV files it names."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Dict, List, Union

from rafiki.model.dataset_archive import Archive, shorten

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

_COLUMNS = ("wav_filename", "wav_filesize", "transcript")
_SUFFIXES = (".wav",)
_SIZE = re.compile(r"[0-9]{1,18}")


class AudioFilesDataset:
    """WAV files and what is said in them.

    `df` is a pandas frame with the columns of `audios.csv`, one row per file, in its order. Its `wav_filename` is the
    absolute path of the extracted file, so that a template may open it as it is; `wav_filesize` is an integer;
    `transcript` and any further column are text, and an empty cell is an empty text. `size` is the number of files.
    """

    def __init__(self, dataset_path: str, dataset_dir: Union[str, TemporaryDirectory[str]]) -> None:
        """Extracts the files that `audios.csv` names, and no others, under `dataset_dir`.

        The folder is made where it is not there; files of an earlier load are written anew. Needs pandas: a template
        declares it among its dependencies.
        """
        import pandas

        self.path = dataset_path
        folder = os.path.abspath(dataset_dir if isinstance(dataset_dir, (str, os.PathLike)) else dataset_dir.name)
        with Archive(dataset_path, "audios.csv") as archive:
            table = _read_table(archive)
            # All names are checked before the first file is written.
            extracted = {member: os.path.join(folder, member) for member in table["wav_filename"]}
            for member, path in extracted.items():
                archive.extract(member, path)
        table["wav_filename"] = [extracted[member] for member in table["wav_filename"]]
        self.df = pandas.DataFrame(table)
        self.size = len(self.df)

    def __len__(self) -> int:
        return self.size


def _read_table(archive: Archive) -> Dict[str, List[Any]]:
    """The columns of `audios.csv`: files as members of the archive, sizes as integers, all others as they are."""
    header, records = archive.read_table(_COLUMNS)
    table: Dict[str, List[Any]] = {name: [] for name in header}
    for row, cells, _ in records:
        values: Dict[str, Any] = dict(zip(header, cells))
        values["wav_filename"] = archive.check_path(values["wav_filename"], row, "wav_filename", _SUFFIXES)
        size = values["wav_filesize"].strip()
        if not _SIZE.fullmatch(size):
            archive.fail_at(row, "wav_filesize", f"expected a number of bytes, got {shorten(size)}")
        values["wav_filesize"] = int(size)
        for name, value in values.items():
            table[name].append(value)
    if not table["transcript"]:
        archive.fail("audios.csv has no rows; expected at least one audio file")
    return table
