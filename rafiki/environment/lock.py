"""What an environment was built from, as text: every package with its version and the hashes of its files.

The first line is a comment with what else a builder needs; the rest is a requirements file as `pip install -r` and
`uv pip sync` read it. An environment's address is a hash of this text.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from rafiki.environment.uv import OnLine, Uv

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


@dataclass(frozen=True)
class Question:
    """What do `requirements` come to with this interpreter? `flags` are the installer's, beside those of the basis."""

    python: Path
    basis: Basis
    requirements: tuple[str, ...]
    flags: tuple[str, ...] = ()


async def resolve(uv: Uv, asked: Question, on_line: OnLine | None = None, offline: bool = False) -> Lock:
    """The answer. Nothing is installed. Raises `InstallerFailed`."""
    compile_ = ("pip", "compile", "-", "--python", str(asked.python), *asked.basis.flags(), *asked.flags)
    options = ("--generate-hashes", "--no-header", "--no-annotate")
    text = "\n".join(asked.requirements)
    return Lock(asked.basis, await uv.run(*compile_, *options, text=text, on_line=on_line, offline=offline))
