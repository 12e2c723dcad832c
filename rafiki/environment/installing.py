"""Installing packages: what is declared, or what is locked.

Installers do not wait until the disk has what they write: what was on its way into their cache when the machine lost
power is cut short there, and they would go on to install it. So files are held against what their packages say of
them, which takes milliseconds, and fetched anew where need be.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rafiki.environment.failures import is_unreachable
from rafiki.environment.lock import Lock, Question, resolve
from rafiki.environment.records import Record, read_records
from rafiki.environment.request import Request
from rafiki.environment.uv import InstallerFailed, OnLine, Uv

logger = logging.getLogger("rafiki.environment")

_INVALID = re.compile(r"Failed to install: \S+ \(([^\s=]+)==[^)]*\)\s+cause: The wheel is invalid")


MakePython = Callable[[], Coroutine[Any, Any, Path]]


async def install(uv: Uv, request: Request, make_python: MakePython, flags: Sequence[str], on_line: OnLine) -> Lock:
    """Install what is declared into an interpreter that is made for it, and lock it. Raises `InstallerFailed`."""
    asked = Question(request.interpreter.path, request.basis, request.requirements, tuple(flags))
    making = asyncio.create_task(make_python())
    known = None
    try:
        if not request.basis.conda and not request.basis.from_source:
            with suppress(InstallerFailed):
                known = await resolve(uv, asked, offline=True)
        python = await making
    finally:
        await _end(making)
    if known is not None and all(trace.exists() for trace in _traces(uv, known)):
        lock = await _install_known(uv, asked, known, python, make_python, on_line)
    else:
        lock = await _install_and_lock(uv, asked, python, on_line)
    for trace in _traces(uv, lock):
        trace.parent.mkdir(exist_ok=True)
        trace.touch()
    return lock


async def _install_known(
    uv: Uv, asked: Question, known: Lock, python: Path, make_python: MakePython, on_line: OnLine
) -> Lock:
    """The cache has an answer, and all of it. That is installed while the index is asked: mostly it says the same."""
    asking = asyncio.create_task(_ask(uv, asked, known, on_line))
    installing = asyncio.create_task(_sync(uv, python, known, offline=True))
    try:
        lock = await asking
        if lock == known:
            with suppress(InstallerFailed):  # somebody has cleaned the cache
                await installing
                return lock
    finally:
        await _end(asking, installing)
    for folder in ("bin", "lib"):
        await asyncio.to_thread(shutil.rmtree, python.parents[1] / folder)
    await _sync(uv, await make_python(), lock, on_line=on_line)
    return lock


def _traces(uv: Uv, lock: Lock) -> list[Path]:
    """Files in the cache, one per package that is locked: those of packages that were installed from there before."""
    folder = Path(uv.variables["UV_CACHE_DIR"]) / "rafiki-installed"
    return [folder / f"{name}-{version}-{lock.basis.python}" for name, version in lock.packages.items()]


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(uv: Uv, asked: Question, known: Lock, on_line: OnLine) -> Lock:
    """The index's answer; what is known where it cannot be reached."""
    try:
        return await resolve(uv, asked, on_line)
    except InstallerFailed as failed:
        if is_unreachable(failed.messages):
            return known
        raise


async def _install_and_lock(uv: Uv, asked: Question, python: Path, on_line: OnLine) -> Lock:
    """In one go, as packages have to be fetched or built; then what is there is locked, conda's packages included."""
    command = ("pip", "install", "--python", str(python), *asked.basis.flags(), *asked.flags, "--", *asked.requirements)
    try:
        records = await _run(uv, python, *command, on_line=on_line)
    except InstallerFailed as failed:
        if not is_unreachable(failed.messages):
            raise
        try:
            records = await _run(uv, python, *command, offline=True)
        except InstallerFailed:
            raise failed from None
    there = replace(asked, python=python, requirements=tuple(record.pin for record in records))
    try:
        return await resolve(uv, there, offline=True)
    except InstallerFailed:  # the cache does not know what conda has installed
        return await resolve(uv, there)


async def install_locked(uv: Uv, python: Path, lock: Lock) -> None:
    """Make what is locked the packages of an interpreter. Raises `InstallerFailed`."""
    try:
        await _sync(uv, python, lock, offline=True)  # mostly all is in the cache
    except InstallerFailed:
        await _sync(uv, python, lock)


async def _sync(uv: Uv, python: Path, lock: Lock, **options: Any) -> None:
    """Make what is locked, and nothing else, what is installed; hashes are checked."""
    command = ("pip", "sync", "-", "--python", str(python), "--require-hashes", *lock.basis.flags())
    await _run(uv, python, *command, text=lock.requirements, **options)


async def _run(uv: Uv, python: Path, *command: str, **options: Any) -> list[Record]:
    """What is installed then. It runs once more where packages turn out to be damaged."""
    records: list[Record] = []
    try:
        await uv.run(*command, **options)
        records = await asyncio.to_thread(read_records, python.parents[1])
        damaged = [record.package for record in records if record.is_damaged]
    except InstallerFailed as failed:
        damaged = _INVALID.findall(failed.messages)
        if not damaged:
            raise
    if damaged:
        logger.warning("the cache of packages has files of %s cut short: fetching them again", ", ".join(damaged))
        await uv.run("cache", "clean", *damaged)
        for record in records:
            if record.is_damaged:  # it is not installed any more; what is there of it is written over
                await asyncio.to_thread(shutil.rmtree, record.info)
        await uv.run(*command, **options)
        records = await asyncio.to_thread(read_records, python.parents[1])
    return records
