"""What a process and all those below it use, as the kernel tells it. Blocking, some 0.1 ms per process."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PRECISE_LOOK_S = 0.3
#: What a file of a tmpfs costs the kernel beside its content.
_INODE_BYTES = 1024


@dataclass(frozen=True)
class Usage:
    memory_bytes: int = 0  # resident and its own; what it maps of files can be had back at any time
    n_tasks: int = 0  # processes and threads
    cpu_s: float = 0.0  # also of processes that have ended


def children(pid: int) -> list[int]:
    """The processes that this one has started, or that were handed to it when their parents ended."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    return found


def process_tree(pid: int, max_processes: int) -> list[int]:
    """The process and those below it, at most so many and a few more."""
    tree = [pid]
    for parent in tree:
        tree += children(parent)
        if len(tree) > max_processes:
            break
    return tree


def usage_of(pid: int, max_processes: int) -> Usage:
    """What a worker uses; `pid` is the process that all of its processes are below."""
    tree = process_tree(pid, max_processes)
    n_tasks, ticks, anonymous, shared = 0, 0, 0, 0
    for one in tree:
        with suppress(OSError, ValueError, IndexError):
            threads, cpu_ticks = _tasks_and_ticks(one)
            n_tasks += threads
            ticks += cpu_ticks
            of_one = _memory(one)
            anonymous += of_one.anonymous
            shared += of_one.shared
    memory_bytes = anonymous + max(shared, _tmpfs_bytes(tree[1:2]))
    return Usage(memory_bytes, n_tasks, ticks / _TICKS)


def uses_more_memory(pid: int, max_processes: int, limit_bytes: int) -> bool:
    """Whether a worker uses more, where what several processes share is counted once. (In `Usage` it is not.)

    That takes the kernel long, so it is looked at for as long as `_PRECISE_LOOK_S`, the largest processes first.
    """
    until = time.monotonic() + _PRECISE_LOOK_S
    tree = process_tree(pid, max_processes)
    anonymous, shared, tmpfs = 0, 0, _tmpfs_bytes(tree[1:2])
    for one in sorted(tree, key=lambda one: _memory(one).anonymous, reverse=True):
        with suppress(OSError):
            memory = _fields(f"/proc/{one}/smaps_rollup", ("Pss:", "Pss_File:", "Pss_Shmem:"))
            shared += memory["Pss_Shmem:"]
            anonymous += memory["Pss:"] - memory["Pss_File:"] - memory["Pss_Shmem:"]
        if anonymous + max(shared, tmpfs) > limit_bytes:
            return True
        if time.monotonic() > until:
            return False
    return False


class _Memory(NamedTuple):
    anonymous: int = 0
    shared: int = 0


def _memory(pid: int) -> _Memory:
    try:
        return _Memory(*_fields(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:")).values())
    except OSError:  # it has ended
        return _Memory()


def _tasks_and_ticks(pid: int) -> tuple[int, int]:
    stat_line = Path(f"/proc/{pid}/stat").read_bytes()
    fields = stat_line[stat_line.rindex(b")") + 2 :].split()
    return int(fields[17]), sum(map(int, fields[11:15]))


def _fields(path: str, names: tuple[str, ...]) -> dict[str, int]:
    """Of lines `Name:  123 kB`, these, in bytes."""
    with open(path, "rb") as file:
        text = b"\n" + file.read()
    found = {}
    for name in names:
        _, _, rest = text.partition(b"\n" + name.encode())
        found[name] = int(rest.split(None, 1)[0]) * 1024 if rest else 0
    return found


def _tmpfs_bytes(inits: list[int]) -> int:
    """What lies in the memory file systems of a sandbox, whose first process this is."""
    total = 0
    for pid in inits:
        for place in ("tmp", "dev/shm"):
            with suppress(OSError):
                path = f"/proc/{pid}/root/{place}"
                if os.stat(path).st_dev != os.stat(f"/{place}").st_dev:  # noqa: PTH116 (ours is not its own)
                    info = os.statvfs(path)
                    total += (info.f_blocks - info.f_bfree) * info.f_frsize
                    total += (info.f_files - info.f_ffree) * _INODE_BYTES
    return total


def oom_counter(pid: int) -> Path | None:
    """The file in which the kernel counts what it killed for the memory limit of this process's own control group."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(","):
            path = Path(f"/sys/fs/cgroup/memory{group}/memory.oom_control")
        elif not controllers:
            path = Path(f"/sys/fs/cgroup{group}/memory.events")
        else:
            continue
        if path.exists():
            return path
    return None


def n_oom_kills(counter: Path) -> int:
    """How many processes the kernel has killed, as this file counts them."""
    try:
        text = counter.read_text()
    except OSError:  # the group has ended
        return 0
    _, _, rest = f"\n{text}".partition("\noom_kill ")
    return int(rest.partition("\n")[0] or 0)


def folder_bytes(folder: Path, max_bytes: int) -> int | None:
    """What the files under a folder take on disk; counting ends soon after `max_bytes`.

    `None` where that cannot be told: a folder cannot be read, or lies too deep.
    """
    total = 0
    folders = [str(folder)]
    try:
        while folders and total <= max_bytes:
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        info = entry.stat(follow_symlinks=False)
                        total += info.st_blocks * 512
                        if stat.S_ISDIR(info.st_mode):
                            folders.append(entry.path)
    except OSError:
        return None
    return total


def unlinked_bytes(pid: int, max_processes: int) -> int:
    """What files take that were removed and are still open: no folder shows them."""
    found: dict[tuple[int, int], int] = {}
    for one in process_tree(pid, max_processes):
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{one}/fd"):
                with suppress(OSError):
                    info = entry.stat()
                    if stat.S_ISREG(info.st_mode) and info.st_nlink == 0:
                        found[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(found.values())
