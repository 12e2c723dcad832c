"""Removing what a worker has left."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def remove_folder(folder: Path) -> None:
    """Remove a folder that was a worker's, also where it has taken rights away. Follows no link. Blocking."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        with suppress(OSError):
            folder.chmod(0o700)
        for _, names, _, descriptor in os.fwalk(folder, follow_symlinks=False):
            for name in names:
                with suppress(OSError):
                    os.chmod(name, 0o700, dir_fd=descriptor)
        shutil.rmtree(folder, ignore_errors=True)
