"""The environment of a model version: an interpreter with its dependencies, and our part for workers.

Every model runs on the interpreter that the platform itself runs on, which must have what the model declares.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from compileall import compile_dir
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from py_compile import PycInvalidationMode

import rafiki
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings

#: The part of our package that workers import; written for every Python from 3.8 on.
_WORKER_PART = ("__init__.py", "config.py", "constants.py", "entities.py", "errors.py", "model", "tasks", "worker")
#: Distributions that are a dependency under another name.
_BUILDS = {"tensorflow": ("tensorflow-cpu", "tensorflow-gpu"), "xgboost": ("xgboost-cpu",), "singa": ("singa-cpu",)}


@dataclass(frozen=True)
class Environment:
    """`python` is the interpreter; `worker_part` the folder that comes first on its path and holds our package."""

    python: Path
    worker_part: Path


def resolve_environment(settings: Settings, dependencies: Mapping[str, str] | None) -> tuple[Environment, list[str]]:
    """The environment that has `dependencies` (`{name: version}`), and warnings where a version is near but not it.

    Blocking. Raises `EnvironmentBuildError` that names each dependency that cannot be had.
    """
    missing, warnings = [], []
    for name, version in (dependencies or {}).items():
        declared = f"{name} {version}" if version else name
        installed = _installed_version(name)
        if installed is None:
            missing.append(f"{declared} is declared, this platform has none")
        elif version and not _is_near(name, version, installed):
            missing.append(f"{declared} is declared, this platform has {installed}")
        elif version and not _is_same(version, installed):
            warnings.append(f"{declared} is declared, this platform has {installed}: that is used.")
    if missing:
        hint = "Declare the versions that this platform has, or install what is missing where `rafiki serve` runs."
        raise EnvironmentBuildError("; ".join(missing) + ".", hint)
    return Environment(Path(sys.executable), worker_part(settings.data_dir)), warnings


def _installed_version(name: str) -> str | None:
    if _normalised(name) == "python":
        return ".".join(map(str, sys.version_info[:3]))
    for distribution in (name, *_BUILDS.get(_normalised(name), ())):
        try:
            return metadata.version(_normalised(distribution))
        except (metadata.PackageNotFoundError, ValueError):  # ValueError: a name that none can have
            continue
    return None


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _release(version: str) -> list[int]:
    """The numbers of a version, `[1, 15, 0]`."""
    return [int(number) for number in re.findall(r"\d+", version.strip().partition("+")[0])]


def _is_near(name: str, declared: str, installed: str) -> bool:
    """Whether code for the declared version can be expected to run on the installed one."""
    n_numbers = 2 if _normalised(name) == "python" else 1
    return _release(declared)[:n_numbers] == _release(installed)[:n_numbers]


def _is_same(declared: str, installed: str) -> bool:
    """Whether `installed` is the declared version, or one of those that it stands for (`3.11` for `3.11.7`)."""
    numbers = _release(declared)
    return _release(installed)[: len(numbers)] == numbers


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
