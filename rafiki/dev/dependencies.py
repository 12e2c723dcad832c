"""Whether what a template declares is what is installed here."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

from rafiki.model.requirements import normalized_name

#: Distributions that are a dependency under another name.
_BUILDS = {
    "tensorflow": ("tensorflow-cpu", "tensorflow-gpu"),
    "xgboost": ("xgboost-cpu",),
    "singa": ("singa-cpu", "singa-gpu"),
}


def dependency_warnings(dependencies: Mapping[str, str] | None) -> list[str]:
    """One sentence for each declared dependency that is missing here or of another version."""
    warnings = []
    for name, version in (dependencies or {}).items():
        installed = _installed_version(name)
        if installed is None:
            warnings.append(f"{name} {version or ''}".rstrip() + " is declared, but not installed here.")
        elif version and not f"{installed.partition('+')[0]}.".startswith(f"{version.partition('+')[0]}."):
            warnings.append(f"{name} {version} is declared, but {installed} is installed here.")
    return warnings


def _installed_version(name: str) -> str | None:
    key = normalized_name(name)
    if key == "python":
        return platform.python_version()
    for distribution in (key, *_BUILDS.get(key, ())):
        try:
            return metadata.version(distribution)
        except (metadata.PackageNotFoundError, ValueError):  # ValueError: a name that none can have
            continue
    return None
