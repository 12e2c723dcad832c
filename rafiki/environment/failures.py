"""What the installer said, as a sentence that names the package and the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rafiki.errors import EnvironmentBuildError

_MAX_REASON = 1200


class PackagesUnreachableError(EnvironmentBuildError):
    """Nothing is wrong with the dependencies: the index cannot be reached, or must not be."""

    @property
    def name(self) -> str:
        return EnvironmentBuildError.__name__


@dataclass(frozen=True)
class Unavailable:
    """A declared package that cannot be had as declared; `version` is empty where any would do.

    `name` is the package's; the dependency that stands for it may have another (`tensorflow` for `tensorflow-cpu`).
    """

    name: str
    version: str
    dependency: str
    why: str  # 'package': there is none of that name; 'version': none of that version; 'build': none for this Python


def build_error(messages: str, python: str, dependencies: Mapping[str, str] | None = None) -> EnvironmentBuildError:
    """The error for an installer's messages, with its own reason.

    `python` is the version that was built for; `dependencies` are those by package that are declared by another name.
    """
    reason = reason_of(messages)
    for phrases, sentence, hint in _TROUBLES:
        if any(phrase in messages for phrase in phrases):
            return EnvironmentBuildError(f"{sentence} {reason}", hint)
    if _OFFLINE in messages:
        return PackagesUnreachableError(f"Packages are missing, and the server fetches none. {reason}", _OFFLINE_HINT)
    if is_unreachable(messages):
        return PackagesUnreachableError(f"The index of packages cannot be reached. {reason}", _NETWORK_HINT)
    unavailable = unavailable_packages(messages, dependencies)
    if unavailable:
        sentences = " ".join(_sentence(one, python) for one in unavailable)
        return EnvironmentBuildError(f"{sentences} ({reason})", _hint(unavailable))
    if "No solution found" in messages:
        return EnvironmentBuildError(f"The dependencies do not fit together. {reason}", _CONFLICT_HINT)
    return EnvironmentBuildError(f"The dependencies cannot be installed. {reason}", _OTHER_HINT)


def is_unreachable(messages: str) -> bool:
    return any(phrase in messages for phrase in _UNREACHABLE)


def reason_of(messages: str) -> str:
    """The installer's own words, without its layout."""
    lines: list[str] = []
    for line in messages.splitlines():
        match = re.match(r"\s*(error:|cause:|hint:)?\s*(.*)", line)
        assert match is not None
        if match[1] or lines:
            lines.append(match[2].strip())
    text = " ".join(line for line in lines if line and not line.startswith("No solution found"))
    text = re.sub(r",? ?(and )?we can conclude that your requirements are unsatisfiable", "", text)
    return text if len(text) <= _MAX_REASON else text[:_MAX_REASON] + "..."


def unavailable_packages(messages: str, dependencies: Mapping[str, str] | None = None) -> list[Unavailable]:
    """Those of the declared packages that the installer says it cannot have; empty where they contradict each other."""
    text = " ".join(messages.split())
    found = [(match[1], _required(match[1], text), "package") for match in _NO_PACKAGE.finditer(text)]
    found += [(match[1], match[2], "version") for match in _NO_VERSION.finditer(text)]
    found += [(match[1], match[2], "build") for match in _NO_BUILD.finditer(text)]
    named = dependencies or {}
    declared = [one for one in dict.fromkeys(found) if _is_declared(one[0], text)]
    return [Unavailable(name, version, named.get(name, name), why) for name, version, why in declared]


def packages_without_wheels(messages: str) -> list[str]:
    """The packages that could only be built here, declared or not."""
    return [match[1] for match in _NO_BUILD.finditer(" ".join(messages.split()))]


_NAME = r"([A-Za-z0-9][A-Za-z0-9._-]*)"
_NO_PACKAGE = re.compile(rf"{_NAME} was not found in the (?:package registry|provided package locations|cache)")
_NO_VERSION = re.compile(rf"there (?:is|are) no versions? of {_NAME}(?:\[[\w,-]+\])?==([^\s,]+)")
_NO_BUILD = re.compile(rf"{_NAME}(?:\[[\w,-]+\])?==([^\s,]+) has no (?:usable wheels|wheels with)")


def _required(name: str, text: str) -> str:
    match = re.search(rf"you require {re.escape(name)}(?:\[[\w,-]+\])?==([^\s,]+)", text)
    return match[1] if match else ""


def _is_declared(name: str, text: str) -> bool:
    """It was asked for, and not by some other package."""
    return re.search(rf"you require {re.escape(name)}(\[[\w,-]+\])?(==|[\s,]|$)", text) is not None


def _sentence(one: Unavailable, python: str) -> str:
    declared = f"{one.dependency} {one.version}".strip()
    if one.why == "package":
        return f"{declared} is declared, and the index has no package {one.name!r}."
    if one.why == "version":
        return f"{declared} is declared, and {one.name} has no version {one.version}."
    return f"{declared} is declared, and it has no build for Python {python} on this machine."


def _hint(unavailable: Sequence[Unavailable]) -> str:
    if any(one.why == "package" for one in unavailable):
        return "Dependencies are named as in the package index, such as scikit-learn, which is imported as sklearn."
    return "Declare a version that can be installed."


_CONFLICT_HINT = "Declare versions that fit together, or leave out what another dependency brings with it."
_OTHER_HINT = "The reason is the installer's, uv's."
_OFFLINE = "Network connectivity is disabled"
_OFFLINE_HINT = "The server's setting RAFIKI_PACKAGE_OFFLINE keeps it from the network."
_NETWORK_HINT = (
    "The server reaches packages through RAFIKI_PACKAGE_INDEX_URL, RAFIKI_PACKAGE_FIND_LINKS and"
    " RAFIKI_PACKAGE_PROXY (by default pip's or uv's settings, else PyPI). Upload the model again when it can."
)
_UNREACHABLE = (
    _OFFLINE, "Failed to fetch", "error sending request", "Request failed after", "Failed to download", "dns error",
)  # fmt: skip
_TROUBLES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("No space left on device", "Disk quota exceeded", "os error 28", "os error 122"),
        "The disk is full.",
        "Make room (`rafiki environment prune` helps), and upload the model again.",
    ),
    (
        ("Hash mismatch",),
        "A package is not the one that was locked.",
        "Its file in the index has changed since. Upload the model again to lock the present one.",
    ),
)
