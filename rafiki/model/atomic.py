"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import IO, Iterator


@contextlib.contextmanager
def new_file(path: str) -> Iterator[IO[bytes]]:
    """A file to write, its folder made where needed; at `path` only once it is whole."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    # Not the process's number: workers in sandboxes, each with processes of its own, have the same ones.
    temporary_path = f"{path}.{os.urandom(8).hex()}.tmp"
    try:
        with open(temporary_path, "x+b") as file:
            yield file
        os.replace(temporary_path, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary_path)
        raise
