"""The few packages that come with conda: their environment is made by the `conda` or `micromamba` of the machine."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from rafiki.environment.uv import InstallerFailed, run_program
from rafiki.errors import EnvironmentBuildError
from rafiki.model.requirements import InstallPlan

_PROGRAMS = ("micromamba", "mamba", "conda")


def arguments(plan: InstallPlan) -> tuple[str, ...]:
    """What `conda create` is told of a plan; empty where nothing of it needs conda."""
    if not plan.conda_packages:
        return ()
    channels = [word for channel in plan.conda_channels for word in ("-c", channel)]
    python = f"python={plan.python}" if plan.python else "python"
    return (*channels, *plan.conda_packages, python)


async def create(prefix: Path, create_arguments: tuple[str, ...], variables: Mapping[str, str]) -> Path:
    """Make an environment in an empty folder; its interpreter, which finds its libraries wherever that is moved.

    Raises `EnvironmentBuildError` that names the command: where it failed, and where there is no such program.
    """
    program = _find_program()
    command = [program or "conda", "create", "--yes", "--prefix", str(prefix), *create_arguments]
    shown = shlex.join(["conda", *command[1:4], "PREFIX", *create_arguments])
    if program is None:
        message = f"{_packages(create_arguments)} comes with conda, and this machine has no conda or micromamba."
        raise EnvironmentBuildError(message, f"With one on the server's PATH, it would run: {shown}")
    try:
        await run_program(command, variables)
    except InstallerFailed as failed:
        last_lines = " ".join(failed.messages.split())[-800:]
        message = f"{_packages(create_arguments)} cannot be installed: {last_lines}"
        raise EnvironmentBuildError(message, f"The command was: {shown}") from failed
    return prefix / "bin" / "python"


def _find_program() -> str | None:
    named = [os.environ.get("MAMBA_EXE"), os.environ.get("CONDA_EXE")]
    return next((path for path in named if path and os.access(path, os.X_OK)), None) or next(
        (path for path in map(shutil.which, _PROGRAMS) if path), None
    )


def _packages(create_arguments: tuple[str, ...]) -> str:
    return ", ".join(word.replace("=", " ") for word in create_arguments if "=" in word and "python" not in word)
