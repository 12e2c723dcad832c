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
    if address is None:
        raise EnvironmentBuildError("The model has no environment.", "Upload the model again.")
    if not folder.is_built(address):
        message = f"The model's environment {address} is not there. {folder.why_absent(address)}".rstrip()
        raise EnvironmentBuildError(message, "It is built again when the next job that needs it starts.")
    folder.note_use(address)
    return Environment(folder.python(address), worker_part(settings.data_dir))
