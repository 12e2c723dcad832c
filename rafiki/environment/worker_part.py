"""Our part for workers: the packages of ours that a template imports, in a folder of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

import rafiki

#: The part of our package that workers import; written for every Python from 3.8 on.
_WORKER_PART = ("__init__.py", "config.py", "constants.py", "entities.py", "errors.py", "model", "tasks", "worker")


def worker_part(data_dir: Path) -> Path:
    """A folder with only the part of our package that workers import, named after its content.

    Made when it is not there yet, whole or not at all, also when several processes make it at a time.
    """
    source = Path(rafiki.__file__).parent
    files = {path.relative_to(source): path.read_bytes() for path in _worker_files(source)}
    digest = hashlib.sha256()
    for path, content in files.items():
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    part = data_dir / "worker_part" / digest.hexdigest()[:16]
    if not part.is_dir():
        _make_part(part, files)
    return part


def _worker_files(source: Path) -> Iterator[Path]:
    for name in _WORKER_PART:
        path = source / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _make_part(part: Path, files: Mapping[Path, bytes]) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".", dir=part.parent))
    try:
        for path, content in files.items():
            target = unfinished / "rafiki" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.write(content)
                os.fsync(file.fileno())
        # Workers start 0.1 s sooner, and none may write here what another would run.
        compile_dir(
            unfinished / "rafiki",
            stripdir=unfinished,
            prependdir=part,
            quiet=1,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
        unfinished.chmod(0o755)
        unfinished.rename(part)
    except OSError:
        if not part.is_dir():  # otherwise another process made it meanwhile
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
