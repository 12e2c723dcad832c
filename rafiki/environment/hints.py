"""What could be installed in place of what cannot: the nearest versions, and the interpreter that would fit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from rafiki.environment.failures import Unavailable
from rafiki.environment.interpreters import OLDEST, Interpreter, sorted_minors
from rafiki.environment.lock import Basis
from rafiki.environment.uv import InstallerFailed, Uv

#: Within this the search ends; the answer is to be there in seconds.
_LIMIT_S = 6.0
#: Versions of Python that are looked at.
_MINORS = [f"3.{minor}" for minor in range(6, 15)]


async def find_hint(uv: Uv, unavailable: Sequence[Unavailable], interpreter: Interpreter, basis: Basis) -> str:
    """A sentence or two per package; empty where nothing was found in time."""
    search = _Search(uv, interpreter, basis)
    found: list[str] = []
    try:
        async with asyncio.timeout(_LIMIT_S):
            for one in unavailable:
                if one.why != "package" and one.version:
                    found += await search.advise(one)
    except TimeoutError:
        pass
    return " ".join(found)


class _Search:
    def __init__(self, uv: Uv, interpreter: Interpreter, basis: Basis) -> None:
        self._uv = uv
        self._interpreter = interpreter
        self._basis = basis
        self._turns = asyncio.Semaphore(4)

    async def advise(self, one: Unavailable) -> list[str]:
        below, above, minors = await asyncio.gather(
            self._version(f"{one.name}<{one.version}", "highest"),
            self._version(f"{one.name}>{one.version}", "lowest-direct"),
            self._fitting_minors(one) if one.why == "build" else _nothing(),
        )
        nearest = [version for version in (below, above) if version]
        python = self._interpreter.minor
        sentences = []
        if nearest:
            named = " and ".join(f"{one.dependency} {version}" for version in nearest)
            verb = "is the nearest version" if len(nearest) == 1 else "are the nearest versions"
            sentences.append(f"{named} {verb} that can be installed for Python {python}.")
        elif one.why != "version":
            sentences.append(f"No version of {one.dependency} can be installed for Python {python}.")
        if minors:
            sentences.append(_advise_python(one, minors))
        return sentences

    async def _version(self, requirement: str, resolution: str, minor: str | None = None) -> str | None:
        """The version that a requirement alone leads to; None where there is none."""
        options = ["--python-version", minor] if minor else []
        compile_ = ("pip", "compile", "-", "--python", str(self._interpreter.path), *options, *self._basis.flags())
        quiet = ("--no-deps", "--quiet", "--no-header", "--no-annotate", "--resolution", resolution)
        try:
            async with self._turns:
                answer = await self._uv.run(*compile_, *quiet, text=requirement)
        except InstallerFailed:
            return None
        match = re.search(r"==(\S+)", answer)
        return match[1] if match else None

    async def _fitting_minors(self, one: Unavailable) -> list[str]:
        """The versions of Python for which it can be installed."""
        requirement = f"{one.name}=={one.version}"
        versions = await asyncio.gather(*(self._version(requirement, "highest", minor) for minor in _MINORS))
        return [minor for minor, version in zip(_MINORS, versions, strict=True) if version]


async def _nothing() -> list[str]:
    return []


def _advise_python(one: Unavailable, minors: list[str]) -> str:
    declared = f"{one.dependency} {one.version} can be installed"
    here = [minor for minor in minors if minor in sorted_minors()]
    if here:
        return f"{declared} for Python {here[-1]}: declare it with {{'python': '{here[-1]}'}}."
    if _minor_no(minors[-1]) < OLDEST[1]:
        return f"{declared} for Python {minors[-1]}, which is older than models can run on."
    return f"{declared} for Python {' or '.join(minors[-2:])}, which this machine has not."


def _minor_no(minor: str) -> int:
    return int(minor.partition(".")[2])
