"""A model's environment, as the executor of its workers gets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rafiki.environment.folder import EnvironmentFolder
from rafiki.environment.worker_part import worker_part
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings


@dataclass(frozen=True)
class Environment:
    """`python` is the interpreter; `worker_part` the folder that comes first on its path and holds our package."""

    python: Path
    worker_part: Path


def find_environment(settings: Settings, address: str | None) -> Environment:
    """The environment that was built for a model, by its address. Blocking, for milliseconds: nothing is resolved.

    Raises `EnvironmentBuildError` where it is not there (any more).
    """
    folder = EnvironmentFolder(settings.environments_dir)
    if address is None or not folder.is_built(address):
        message = f"The model's environment {address} is not there." if address else "The model has no environment."
        raise EnvironmentBuildError(message, "The server builds it again when a job that needs it starts.")
    folder.note_use(address)
    return Environment(folder.python(address), worker_part(settings.data_dir))
