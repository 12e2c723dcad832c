"""The Python interpreters of this machine: models run on the server's own, or on the one that they ask for."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rafiki.errors import EnvironmentBuildError

#: What our part for workers runs on.
OLDEST = (3, 7)

#: Where interpreters are that are not on the PATH.
_PLACES = (
    "~/.pyenv/versions/*/bin",
    "~/.local/share/uv/python/*/bin",
    "/usr/local/bin",
    "/usr/bin",
    "/opt/*/bin",
    "/opt/*/*/bin",
)
_NAME = re.compile(r"python(3\.\d+)")
_ASK = "import sys; print(sys.implementation.name, '.'.join(map(str, sys.version_info[:3])), sys.executable)"
_ANSWER_LIMIT_S = 10.0


@dataclass(frozen=True)
class Interpreter:
    """`path` starts it, `version` is `3.11.7`."""

    path: Path
    version: str

    @property
    def minor(self) -> str:
        """`3.11`."""
        return ".".join(self.version.split(".")[:2])


def own_interpreter() -> Interpreter:
    """The one that this program runs on, outside of any virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(base), ".".join(map(str, sys.version_info[:3])))


async def find_interpreter(version: str | None) -> Interpreter:
    """One of that version (`3`, `3.10` or `3.10.13`); the server's own where none is asked for, or where it fits.

    Raises `EnvironmentBuildError` that names the versions that are there.
    """
    own = own_interpreter()
    if version and not re.fullmatch(r"\d+(\.\d+){0,2}", version):
        message = f"python {version} is declared, which is no version of Python."
        raise EnvironmentBuildError(message, f"Declare one such as {own.minor}.")
    if not version or _fits(own.version, version):
        return own
    if _numbers(version) < OLDEST[: len(_numbers(version))]:
        oldest = ".".join(map(str, OLDEST))
        message = f"python {version} is declared; models run on Python {oldest} or later."
        raise EnvironmentBuildError(message, f"On this machine: {', '.join(sorted_minors())}.")
    candidates = [
        path
        for minor, paths in _candidates().items()
        if _fits(minor, version) or _fits(version, minor)
        for path in paths
    ]
    found = [one for one in await asyncio.gather(*map(_ask, candidates)) if one and _fits(one.version, version)]
    if not found:
        message = f"python {version} is declared, and this machine has none."
        hint = (
            f"It has {', '.join(sorted_minors())}; another one is found on the PATH of the server, in /opt or by pyenv."
        )
        raise EnvironmentBuildError(message, hint)
    return max(found, key=lambda one: _numbers(one.version))


def sorted_minors() -> list[str]:
    """The versions `3.X` that are on this machine by the names of their programs, and that models can run on."""
    minors = {own_interpreter().minor, *_candidates()}
    return sorted((minor for minor in minors if _numbers(minor) >= OLDEST), key=_numbers)


def _candidates() -> dict[str, list[Path]]:
    """Programs that are called `python3.X`, by `3.X`."""
    found: dict[str, list[Path]] = {}
    for folder in _folders():
        try:
            names = [path.name for path in folder.iterdir()]
        except OSError:
            continue
        for name in names:
            match = _NAME.fullmatch(name)
            if match:
                found.setdefault(match[1], []).append(folder / name)
    return found


def _folders() -> Iterator[Path]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if folder and Path(folder).name != "shims":  # a version manager's, which stand for whatever is chosen
            yield Path(folder)
    for place in _PLACES:
        pattern = Path(place).expanduser()
        yield from sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


async def _ask(path: Path) -> Interpreter | None:
    """The interpreter at a path; None where there is none that runs, or not CPython."""
    try:
        process = await asyncio.create_subprocess_exec(
            path, "-I", "-S", "-c", _ASK,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath, "HOME": os.environ.get("HOME", "/")},
        )  # fmt: skip
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _ANSWER_LIMIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    name, _, rest = output.decode(errors="replace").strip().partition(" ")
    version, _, executable = rest.partition(" ")
    return Interpreter(Path(executable), version) if name == "cpython" and executable else None


def _fits(version: str, wanted: str) -> bool:
    """Whether `version` is `wanted`, or one of those that it stands for (`3.11` for `3.11.7`)."""
    numbers = _numbers(wanted)
    return _numbers(version)[: len(numbers)] == numbers


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
