"""Compiled modules, once per machine: workers must not write them, and import three times as long without them.

They are kept in the cache, in a folder per distribution and version of Python that is named after the content of its
source files (what a package says of itself is not believed), and linked into every environment that has the
distribution. What is not there yet is compiled in the background, at the lowest priority: the environment is good
without it.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rafiki.environment.disk import sync_filesystem
from rafiki.environment.records import Record, read_records
from rafiki.environment.uv import InstallerFailed, run_program

logger = logging.getLogger("rafiki.environment")

_DONE_FILE = "rafiki.compiled"
_DIGEST_LENGTH = 32
#: Reads lines of a source's path and where to write; what does not compile (a template of code, say) is left out.
_COMPILE = """
import os, py_compile, sys
os.nice(19)
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for line in sys.stdin:
    source, target = line.rstrip("\\n").split("\\t")
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        py_compile.compile(source, cfile=target, doraise=True, invalidation_mode=mode)
    except Exception:
        pass
"""


@dataclass(frozen=True)
class _Modules:
    """The modules of a distribution, as paths below `site_packages`, and where their compiled form is kept."""

    site_packages: Path
    paths: tuple[str, ...]
    kept: Path


class Bytecode:
    def __init__(self, cache_dir: Path, variables: Mapping[str, str]) -> None:
        self._folder = cache_dir / "rafiki-bytecode"
        self._variables = variables

    def is_done(self, prefix: Path) -> bool:
        """All modules of an environment are compiled."""
        return (prefix / _DONE_FILE).exists()

    def link(self, prefix: Path, python_version: str) -> None:
        """Give an environment what is known to be in the cache. Blocking, for some 10 us per file."""
        for record in read_records(prefix):
            modules = self._modules(record, _tag(python_version), to_read=False)
            if modules is not None:
                _link(modules)

    async def compile(self, prefix: Path, python: Path, python_version: str, worker_part: Path) -> None:
        """Compile what is missing, for this environment and all later ones. May be cancelled."""
        tag = _tag(python_version)
        for modules in await asyncio.to_thread(self._all_modules, prefix, worker_part, tag):
            if not modules.kept.is_dir():
                await self._keep(modules, python, tag)
            await asyncio.to_thread(_link, modules)
        (prefix / _DONE_FILE).touch()

    async def _keep(self, modules: _Modules, python: Path, tag: str) -> None:
        unfinished = self._folder / f".{secrets.token_hex(8)}"
        sources = {path: modules.site_packages / path for path in modules.paths}
        try:
            await self._run(python, {source: unfinished / _compiled(path, tag) for path, source in sources.items()})
            unfinished.mkdir(parents=True, exist_ok=True)  # it may have nothing that compiles
            await asyncio.to_thread(sync_filesystem, unfinished)  # Python would run what is cut short
            with suppress(OSError):  # another process was first
                unfinished.rename(modules.kept)
        finally:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)

    async def _run(self, python: Path, targets: Mapping[Path, Path]) -> None:
        lines = "".join(f"{source}\t{target}\n" for source, target in targets.items())
        if not lines:
            return
        try:
            await run_program([str(python), "-I", "-S", "-c", _COMPILE], self._variables, lines)
        except InstallerFailed as failed:
            logger.warning("modules could not be compiled: %s", failed.messages)

    def _all_modules(self, prefix: Path, worker_part: Path, tag: str) -> list[_Modules]:
        found = [self._modules(record, tag) for record in read_records(prefix)]
        return [modules for modules in (*found, self._modules_of_ours(worker_part, tag)) if modules is not None]

    def _modules(self, record: Record, tag: str, to_read: bool = True) -> _Modules | None:
        """Of a distribution; without `to_read` only if its files were read before."""
        paths = tuple(sorted(path for path in record.files if path.endswith(".py") and _is_inside(path)))
        digest = self._digest(record, paths, to_read) if paths else None
        return _Modules(record.site_packages, paths, self._folder / f"{digest}-{tag}") if digest else None

    def _modules_of_ours(self, worker_part: Path, tag: str) -> _Modules | None:
        """None where this version of Python has compiled them already."""
        paths = tuple(sorted(str(path.relative_to(worker_part)) for path in worker_part.rglob("*.py")))
        if all((worker_part / _compiled(path, tag)).exists() for path in paths):
            return None
        return _Modules(worker_part, paths, self._folder / f"{_content_digest(worker_part, paths)}-{tag}")

    def _digest(self, record: Record, paths: tuple[str, ...], to_read: bool) -> str | None:
        """Of the content of these files. That of the very same files (links to them) is read once."""
        identity = hashlib.sha256()
        for path in paths:
            status = record.files[path]
            identity.update(f"{path}\0{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}\0".encode())
        known = self._folder / "of-files" / identity.hexdigest()[:32]
        with suppress(OSError):
            digest = known.read_text()
            if len(digest) == _DIGEST_LENGTH:  # a power failure may have cut it short
                return digest
        if not to_read:
            return None
        digest = _content_digest(record.site_packages, paths)
        known.parent.mkdir(parents=True, exist_ok=True)
        partial = known.with_name(f".{secrets.token_hex(8)}")
        partial.write_text(digest)
        partial.rename(known)
        return digest


def _is_inside(file: str) -> bool:
    return not file.startswith("/") and ".." not in file.split("/") and "\n" not in file and "\t" not in file


def _content_digest(site_packages: Path, paths: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            content = (site_packages / path).read_bytes()
        except OSError:
            content = b""
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:_DIGEST_LENGTH]


def _compiled(path: str, tag: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc".removeprefix("/")


def _link(modules: _Modules) -> None:
    kept, site_packages = str(modules.kept), str(modules.site_packages)
    for folder, _, names in os.walk(kept):
        if names:
            target = site_packages + folder[len(kept) :]
            with suppress(FileNotFoundError, FileExistsError):
                os.mkdir(target)  # noqa: PTH102 (as strings: there are thousands)
            for name in names:
                with suppress(FileNotFoundError, FileExistsError):
                    _give(f"{folder}/{name}", f"{target}/{name}")


def _give(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = f"{target}.{secrets.token_hex(8)}"
        with open(source, "rb") as read, open(partial, "xb") as written:
            shutil.copyfileobj(read, written)
            written.flush()
            os.fsync(written.fileno())
        os.replace(partial, target)  # noqa: PTH105 (as strings: there are thousands)


def _tag(python_version: str) -> str:
    """As Python names its compiled files: `cpython-311`."""
    return "cpython-" + "".join(python_version.split(".")[:2])
