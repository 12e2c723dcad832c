"""What is on the disk, and what is only on its way there."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)


def sync_filesystem(path: Path) -> None:
    """Returns when all that was written to the path's file system is on its disk. Blocking, for as long as that takes.

    Thousands of files are synced so in the time of a few that are synced one by one.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(descriptor)


@functools.cache
def boot_id() -> str:
    """Names the run of the machine that this process is part of."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
