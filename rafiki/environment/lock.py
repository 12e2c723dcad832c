"""What an environment was built from, as text: every package with its version and the hashes of its files.

The first line is a comment with what else a builder needs; the rest is a requirements file as `pip install -r` and
`uv pip sync` read it. An environment's address is a hash of this text.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from rafiki.environment.sources import local_links
from rafiki.environment.uv import InstallerFailed, Uv

_HEADER = "# rafiki: "


@dataclass(frozen=True)
class Basis:
    """What the packages are installed into, and by which rules."""

    python: str  # its version, 3.11.7
    is_gpu: bool = False
    torch_backend: str | None = None  # of uv: whence PyTorch's packages come
    from_source: tuple[str, ...] = ()  # packages that are built here
    conda: tuple[str, ...] = ()  # what `conda create` is told, where that makes the interpreter

    def flags(self) -> list[str]:
        """uv's: no package is built here but those that are named."""
        flags = ["--only-binary", ":all:"]
        for package in self.from_source:
            flags += ["--no-binary", package]
        return [*flags, *(["--torch-backend", self.torch_backend] if self.torch_backend else [])]


@dataclass(frozen=True)
class Lock:
    basis: Basis
    requirements: str

    @property
    def text(self) -> str:
        return f"{_HEADER}{json.dumps(asdict(self.basis), sort_keys=True)}\n{self.requirements}"

    @property
    def address(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:24]

    @property
    def packages(self) -> dict[str, str]:
        """Versions by name."""
        return dict(re.findall(r"^(\S+)==(\S+)", self.requirements, re.MULTILINE))

    @staticmethod
    def parse(text: str) -> Lock:
        """Raises `ValueError` for what is no lock of ours."""
        header, _, requirements = text.partition("\n")
        if not header.startswith(_HEADER):
            raise ValueError("this is no lock of an environment")
        given = json.loads(header.removeprefix(_HEADER))
        tuples = {name: tuple(given[name]) for name in ("from_source", "conda")}
        return Lock(Basis(**given | tuples), requirements)


async def lock_installed(uv: Uv, python: Path, basis: Basis) -> Lock:
    """The lock of what is installed: a first build resolves and installs in one go, and is locked after it."""
    found = python.parents[1].glob("lib/python*/site-packages/*.dist-info")
    installed = sorted("==".join(path.stem.split("-")[:2]) for path in found)
    compile_ = ("pip", "compile", "-", "--python", str(python), "--generate-hashes", "--no-deps", "--no-header")
    options = ("--no-annotate", "--quiet", *basis.flags())
    text = "\n".join(installed)
    try:
        requirements = await uv.run(*compile_, *options, text=text, offline=True)  # it has just read all it needs
    except InstallerFailed:
        requirements = ""
    lines = await asyncio.to_thread(_with_local_hashes, requirements.splitlines(), local_links(uv.variables))
    if not lines or any(_has_no_hash(line) for line in lines):  # an index that tells none: files are read for them
        lines = (await uv.run(*compile_, *options, text=text)).splitlines()
    return Lock(basis, "\n".join(lines) + "\n")


def _has_no_hash(line: str) -> bool:
    return "==" in line and "--hash" not in line and not line.endswith("\\")


def _with_local_hashes(lines: list[str], folders: list[Path]) -> list[str]:
    """With the hashes of packages that come from a folder of wheels, which tells none."""
    hashed = []
    for line in lines:
        if _has_no_hash(line):
            name, _, version = line.strip().partition("==")
            wheels = [wheel for folder in folders for wheel in sorted(folder.glob("*.whl"))]
            hashes = [_sha256(wheel) for wheel in wheels if _is_of(wheel, name, version)]
            line = " \\\n".join([line, *(f"    --hash=sha256:{one}" for one in dict.fromkeys(hashes))])
        hashed.append(line)
    return hashed


def _is_of(wheel: Path, name: str, version: str) -> bool:
    parts = wheel.name.split("-")
    return [_normalized(parts[0]), parts[1]] == [_normalized(name), version]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
