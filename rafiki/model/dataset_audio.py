"""Datasets of type AUDIO_FILES: a zip with `audios.csv` and the WAV files it names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Union

from rafiki.model.dataset_archive import Archive

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

_COLUMNS = ("wav_filename", "wav_filesize", "transcript")


class AudioFilesDataset:
    """`df` is a pandas frame of `audios.csv`: `wav_filename`, `wav_filesize` (int) and `transcript` (str).

    The files that it names are extracted: row i's is at `os.path.join(dataset_dir.name, df['wav_filename'][i])`.
    `size` is the number of rows. Needs pandas.
    """

    def __init__(self, dataset_path: str, dataset_dir: Union[str, TemporaryDirectory[str]]) -> None:
        """`dataset_dir` is a folder (made if need be) or a `tempfile.TemporaryDirectory`."""
        self.path = dataset_path
        self._dir = os.fspath(dataset_dir) if isinstance(dataset_dir, (str, os.PathLike)) else dataset_dir.name
        self.df = self._load()
        self.size = len(self.df)

    def __len__(self) -> int:
        return self.size

    def _load(self) -> Any:
        import pandas

        members, sizes, transcripts = [], [], []
        with Archive(self.path, "audios.csv") as archive:
            for row, (path, size, transcript) in archive.read_csv(_COLUMNS):
                member = archive.check_path(path, row, "wav_filename", (".wav",))
                sizes.append(archive.parse_class(size, row, "wav_filesize"))
                members.append(member)
                transcripts.append(transcript)
            for member in dict.fromkeys(members):
                self._extract(archive, member)
        return pandas.DataFrame({"wav_filename": members, "wav_filesize": sizes, "transcript": transcripts})

    def _extract(self, archive: Archive, member: str) -> None:
        """Writes a member below the folder. `check_path` has refused every name that would lead out of it."""
        path = os.path.join(self._dir, *member.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(archive.read(member))
