"""What distributions say that they have installed, and what is there of it."""

from __future__ import annotations

import csv
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rafiki.model.requirements import normalized_name

#: File systems write whole blocks: a file that was cut short ends where one does.
_BLOCK_BYTES = 4096


@dataclass(frozen=True)
class Record:
    """Of one distribution. `files` are those that are there, by their paths below `site_packages`.

    It `is_damaged` where a power failure seems to have cut files short: what is named, or the record itself.
    """

    info: Path  # its folder of metadata
    package: str
    version: str
    files: dict[str, os.stat_result]
    is_damaged: bool

    @property
    def pin(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def site_packages(self) -> Path:
        return self.info.parent


def read_records(prefix: Path) -> list[Record]:
    """Of all distributions in an environment. Blocking, for some microseconds per file."""
    return [_read_record(path) for path in sorted(prefix.glob("lib/python*/site-packages/*.dist-info"))]


def _read_record(info: Path) -> Record:
    name, _, version = info.name.removesuffix(".dist-info").partition("-")
    site_packages = str(info.parent)
    files = {}
    is_damaged = False
    with suppress(FileNotFoundError):
        sizes = {row[0]: row[-1] for row in csv.reader((info / "RECORD").read_text().splitlines()) if row}
        is_damaged = f"{info.name}/METADATA" not in sizes
        for path, size in sizes.items():
            with suppress(OSError, ValueError):
                files[path] = status = os.stat(f"{site_packages}/{path}")  # noqa: PTH116 (as strings: it is faster)
                is_damaged |= size.isdigit() and status.st_size < int(size) and status.st_size % _BLOCK_BYTES == 0
    return Record(info, normalized_name(name), version, files, is_damaged and _is_of_uv(info))


def _is_of_uv(info: Path) -> bool:
    """What conda has installed does not come from uv's cache."""
    try:
        return (info / "INSTALLER").read_text().strip() == "uv"
    except OSError:
        return False
