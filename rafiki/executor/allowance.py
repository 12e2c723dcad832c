"""What a worker may see and use: limits, files beyond its own, network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rafiki.settings import Settings


@dataclass(frozen=True)
class Limits:
    """What one worker may use, with all of its processes. `None` is no limit."""

    memory_bytes: int | None = None
    n_tasks: int = 1024  # processes and threads
    n_open_files: int = 4096  # per process
    scratch_bytes: int | None = None  # of all files in its scratch folder, and of any one of them
    output_bytes: int | None = None  # what it logs and prints while it answers one call

    @staticmethod
    def of(settings: Settings, memory_bytes: int | None = None) -> Limits:
        """Those of the settings, with another limit on memory where one is given."""
        return Limits(
            memory_bytes=memory_bytes or settings.worker_memory_limit_bytes,
            n_tasks=settings.worker_n_processes,
            n_open_files=settings.worker_n_open_files,
            scratch_bytes=settings.worker_scratch_bytes,
            output_bytes=settings.worker_output_bytes,
        )


@dataclass(frozen=True)
class Allowance:
    """`readable` are files and folders that a worker sees beside its own. What is in `hidden` it never sees otherwise,
    wherever that lies.
    """

    limits: Limits = field(default_factory=Limits)
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    has_network: bool = False

    @staticmethod
    def of(settings: Settings, model_id: str, *readable: Path, memory_bytes: int | None = None) -> Allowance:
        """What the settings allow the workers of a model (with `memory_bytes`, where given, in place of theirs), and
        what it is to read.
        """
        return Allowance(
            limits=Limits.of(settings, memory_bytes),
            readable=(*readable, *settings.worker_readable_paths),
            hidden=(settings.data_dir,),
            has_network=settings.allows_network(model_id),
        )
