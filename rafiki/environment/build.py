"""Builds the environments of models: resolved, installed and locked by uv, whole or not there, and one for all who ask
for the same.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rafiki.environment import conda
from rafiki.environment.bytecode import Bytecode
from rafiki.environment.failures import (
    PackagesUnreachableError,
    build_error,
    packages_without_wheels,
    unavailable_packages,
)
from rafiki.environment.folder import EnvironmentFolder
from rafiki.environment.hints import find_hint
from rafiki.environment.installing import install, install_locked
from rafiki.environment.interpreters import Interpreter, find_interpreter, own_interpreter
from rafiki.environment.lock import Basis, Lock
from rafiki.environment.request import Request, make_request
from rafiki.environment.sources import installer_variables, whence
from rafiki.environment.uv import InstallerFailed, OnLine, Uv
from rafiki.environment.worker_part import worker_part
from rafiki.errors import EnvironmentBuildError
from rafiki.model.requirements import GPU_ONLY_PACKAGES, normalized_name
from rafiki.settings import Settings

logger = logging.getLogger("rafiki.environment")

Progress = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class BuiltEnvironment:
    """`address` names it; `lock` is what it can be built from again, years later."""

    address: str
    lock: str


class EnvironmentBuilder:
    """Must be used in the main thread. A build that is cancelled is killed, and leaves nothing.

    Environments are for GPUs where the machine has any: such builds run without one, too.
    """

    def __init__(self, settings: Settings) -> None:
        self.folder = EnvironmentFolder(settings.environments_dir)
        self._settings = settings
        self._is_gpu = bool(settings.gpu_indices)
        self._uv = Uv(installer_variables(settings))
        self._bytecode = Bytecode(Path(self._uv.variables["UV_CACHE_DIR"]), self._uv.variables)
        self._finishing: dict[str, asyncio.Task[None]] = {}  # by address
        self._to_finish_again: set[str] = set()
        self._compiling = asyncio.Lock()  # one at a time: it is to take what is left of the machine's time
        self._may_build = {normalized_name(name) for name in settings.package_builds.replace(",", " ").split()}

    async def build(self, dependencies: Mapping[str, str] | None, progress: Progress) -> BuiltEnvironment:
        """The environment that has `dependencies` (`{name: version}`): there already, or built now.

        `progress` is told what is being done. Raises `EnvironmentBuildError`: which dependency cannot be had, why, and
        what can.
        """
        request = await make_request(dependencies, self._is_gpu, self._uv.variables)
        key = request.key(sorted(self._may_build), whence(self._uv.variables))
        async with self.folder.locked(key):
            address = self.folder.recall(key)
            if address is None:
                await progress("resolving")
                try:
                    with self._named_failures():
                        address = await self._build(request, progress)
                except PackagesUnreachableError:
                    address = self.folder.recall(key, max_age_s=math.inf)
                    if address is None:
                        raise
                self.folder.remember(key, address)
            self._finish_later(address)
            return BuiltEnvironment(address, self.folder.lock(address).text)

    async def restore(self, address: str, lock_text: str | None) -> None:
        """Build an environment again from its lock, unless it is there.

        Raises `EnvironmentBuildError`; those who miss the environment are told the reason.
        """
        async with self.folder.locked(address):
            if self.folder.is_built(address):
                return
            try:
                lock = Lock.parse(lock_text or "")
            except ValueError as error:
                raise EnvironmentBuildError(f"There is no lock of environment {address}.") from error
            try:
                with self._named_failures():
                    await self._rebuild(lock)
                self._finish_later(address)
            except EnvironmentBuildError as error:
                self.folder.note_absent(address, error.message)
                raise

    async def finished(self) -> None:
        """Returns when all environments that were asked for are on the disk, and their modules compiled."""
        await asyncio.gather(*self._finishing.values())

    async def close(self) -> None:
        """End what goes on in the background; it is taken up when the environment is asked for again."""
        for task in self._finishing.values():
            task.cancel()
        await asyncio.gather(*self._finishing.values(), return_exceptions=True)

    # Building ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            limit_s = self._settings.environment_time_limit_s
            hint = "A larger RAFIKI_ENVIRONMENT_TIME_LIMIT_S gives it more time."
            raise EnvironmentBuildError(f"Building the environment took longer than {limit_s:g} s.", hint) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise build_error(str(error), "") from error

    async def _build(self, request: Request, progress: Progress) -> str:
        while True:
            try:
                async with asyncio.timeout(self._settings.environment_time_limit_s):
                    return await self._build_as(request, progress)
            except InstallerFailed as failed:
                missing = {normalized_name(name) for name in packages_without_wheels(failed.messages)}
                to_build = missing & self._may_build - set(request.basis.from_source)
                if not to_build:
                    await progress("looking for what could be installed instead")
                    raise await self._named(failed, request) from failed
                request = request.building(to_build)

    async def _build_as(self, request: Request, progress: Progress) -> str:
        with self.folder.staging(_staging_name(request.basis, request.interpreter)) as staging:
            flags = _without_gpu_packages(staging, request.basis)
            make_python = partial(self._make_python, staging, request.basis, request.interpreter)
            lock = await install(self._uv, request, make_python, flags, _telling(progress))
            self.folder.adopt(staging, lock)
        return lock.address

    async def _rebuild(self, lock: Lock) -> None:
        interpreter = own_interpreter() if lock.basis.conda else await _interpreter_of(lock.basis)
        try:
            async with asyncio.timeout(self._settings.environment_time_limit_s):
                with self.folder.staging(_staging_name(lock.basis, interpreter)) as staging:
                    python = await self._make_python(staging, lock.basis, interpreter)
                    await install_locked(self._uv, python, lock)
                    self.folder.adopt(staging, lock)
        except InstallerFailed as failed:
            raise build_error(failed.messages, interpreter.minor) from failed

    async def _make_python(self, staging: Path, basis: Basis, interpreter: Interpreter) -> Path:
        if basis.conda:
            return await conda.create(staging, basis.conda, self._uv.variables)
        make = ("venv", staging, "--python", interpreter.path, "--relocatable", "--allow-existing", "--no-project")
        await self._uv.run(*make, "--quiet")
        return staging / "bin" / "python"

    # Afterwards -------------------------------------------------------------------------------------------------------

    def _finish_later(self, address: str) -> None:
        """Have it on the disk, and its modules compiled."""
        if self.folder.is_durable(address) and self._bytecode.is_done(self.folder.prefix(address)):
            return
        if address in self._finishing:  # maybe of one that was there before
            self._to_finish_again.add(address)
            return
        task = asyncio.create_task(self._finish(address), name=f"finishing environment {address}")
        self._finishing[address] = task
        task.add_done_callback(lambda _: self._finishing.pop(address))

    async def _finish(self, address: str) -> None:
        await self._finish_once(address)
        while address in self._to_finish_again:
            self._to_finish_again.discard(address)
            await self._finish_once(address)

    async def _finish_once(self, address: str) -> None:
        prefix = self.folder.prefix(address)
        try:
            version = self.folder.lock(address).basis.python
            await asyncio.to_thread(self._bytecode.link, prefix, version)
            await asyncio.to_thread(self.folder.make_durable, address)
            async with self._compiling:
                part = await asyncio.to_thread(worker_part, self._settings.data_dir)
                await self._bytecode.compile(prefix, self.folder.python(address), version, part)
        except (OSError, ValueError) as error:  # removed meanwhile, or the disk is full: it is good without
            logger.warning("environment %s could not be finished: %s", address, error)

    async def _named(self, failed: InstallerFailed, request: Request) -> EnvironmentBuildError:
        error = build_error(failed.messages, request.interpreter.minor, request.dependencies)
        unavailable = unavailable_packages(failed.messages, request.dependencies)
        if not unavailable or isinstance(error, PackagesUnreachableError):
            return error
        hint = await find_hint(self._uv, unavailable, request.interpreter, request.basis) or error.hint
        if self._settings.package_offline:
            hint += " The server looks in its cache alone, as its setting RAFIKI_PACKAGE_OFFLINE says."
        return EnvironmentBuildError(error.message, hint)


def _staging_name(basis: Basis, interpreter: Interpreter) -> str:
    """The same for the same interpreter: it is asked what it is at each new path, for a fourth of a build's time."""
    return secrets.token_hex(4) if basis.conda else hashlib.sha256(str(interpreter.path).encode()).hexdigest()[:8]


def _without_gpu_packages(staging: Path, basis: Basis) -> list[str]:
    """The installer's flags that leave out what only GPUs need, whichever package asks for it."""
    if basis.is_gpu:
        return []
    path = staging / "rafiki.overrides"
    path.write_text("".join(f"{name}; python_version < '3'\n" for name in GPU_ONLY_PACKAGES))
    return ["--overrides", str(path)]


async def _interpreter_of(basis: Basis) -> Interpreter:
    """The interpreter that a lock was made for, or a later one of the same minor version."""
    try:
        return await find_interpreter(basis.python)
    except EnvironmentBuildError:
        return await find_interpreter(".".join(basis.python.split(".")[:2]))


def _telling(progress: Progress) -> OnLine:
    """Tells `progress` of the installer's steps."""
    step = "resolving"

    async def on_line(line: str) -> None:
        nonlocal step
        resolved = re.match(r"Resolved (\d+) packages?", line)
        fetched = re.match(r"(Downloading|Building) (.+)", line)
        if resolved:
            step = f"installing {resolved[1]} packages"
            await progress(step)
        elif fetched:
            await progress(f"{step}: {fetched[1].lower()} {fetched[2]}")

    return on_line
