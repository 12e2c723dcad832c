"""A model's environment, as the executor of its workers gets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rafiki.environment.folder import EnvironmentFolder
from rafiki.environment.worker_part import worker_part
from rafiki.errors import EnvironmentBuildError
from rafiki.settings import Settings

#: The address of an image is this and the start of its id, by which engines know it, too.
IMAGE_PREFIX = "image-"


@dataclass(frozen=True)
class Environment:
    """`python` is the interpreter; `worker_part` the folder that comes first on its path and holds our package.

    With an `image` (the start of its id) the interpreter is that of the image, found as its own programs find it.
    """

    python: Path
    worker_part: Path
    image: str | None = None


def image_of(address: str | None) -> str | None:
    """The image that an address stands for: the start of its id. None: it is the address of no image."""
    return address[len(IMAGE_PREFIX) :] if address is not None and address.startswith(IMAGE_PREFIX) else None


def find_environment(settings: Settings, address: str | None) -> Environment:
    """The environment that was built for a model, by its address. Blocking, for milliseconds: nothing is resolved.

    Raises `EnvironmentBuildError` where it is not there (any more). Whether an image is, its first worker tells.
    """
    image = image_of(address)
    if image is not None:
        return Environment(Path("python3"), worker_part(settings.data_dir), image)
    folder = EnvironmentFolder(settings.environments_dir)
    if address is None:
        raise EnvironmentBuildError("The model has no environment.", "Upload the model again.")
    if not folder.is_built(address):
        message = f"The model's environment {address} is not there. {folder.why_absent(address)}".rstrip()
        raise EnvironmentBuildError(message, "It is built again when the next job that needs it starts.")
    folder.note_use(address)
    return Environment(folder.python(address), worker_part(settings.data_dir))
