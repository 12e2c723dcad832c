"""A worker's meter: looks at what it uses, and tells when that is more than it may."""

from __future__ import annotations

from pathlib import Path

from rafiki.entities import Failure, FailureCode
from rafiki.executor.allowance import Limits
from rafiki.executor.base import MEMORY_HINT
from rafiki.executor.usage import Usage, folder_bytes, n_oom_kills, unlinked_bytes, usage_of, uses_more_memory

#: How often workers are looked at, and of how many looks one goes to the files.
LOOK_INTERVAL_S = 0.2
_LOOKS_PER_FILES_LOOK = 5
#: A worker that has been seen to use so much of its limit, and is then killed, was probably out of memory.
_NEAR = 0.8
#: Counts the kernel's kills on the whole machine.
_VMSTAT = Path("/proc/vmstat")


class Meter:
    """`look` is called by a timer, in any thread, one call at a time; all else may be called meanwhile."""

    def __init__(
        self, pid: int, limits: Limits, folders: tuple[Path, ...], own_oom_counter: Path | None = None
    ) -> None:
        """`own_oom_counter` counts the kernel's kills in this worker's control group alone, where it has one."""
        self._own_oom_counter = own_oom_counter
        self._pid = pid
        self._limits = limits
        self._folders = folders
        self._usage = self._usage_before = Usage()
        self._cpu_limit_s: float | None = None
        self._max_cpu_s = 0.0
        self._files_bytes = 0
        self._n_looks = 0
        self._n_oom_kills = self._n_oom_kills_before = n_oom_kills(_VMSTAT)

    def limit_cpu(self, limit_s: float | None) -> None:
        """From now on, so much CPU time more."""
        self._max_cpu_s = self._usage.cpu_s + (limit_s or 0.0)
        self._cpu_limit_s = limit_s

    @property
    def is_half_used(self) -> bool:
        """Whether more than half of its memory or of its files' space was taken at the latest look."""
        used = ((self._usage.memory_bytes, self._limits.memory_bytes), (self._files_bytes, self._limits.scratch_bytes))
        return any(limit is not None and n_bytes > limit / 2 for n_bytes, limit in used)

    def was_short_of_memory(self) -> bool:
        """Whether a kill was probably for want of memory: its own limit was near, or the kernel has just killed."""
        limit = self._limits.memory_bytes
        used = max(self._usage.memory_bytes, self._usage_before.memory_bytes)  # the latest look may be at a dead one
        is_near = limit is not None and used >= _NEAR * limit
        return is_near or n_oom_kills(_VMSTAT) > self._n_oom_kills_before

    def look(self) -> Failure | None:
        """What the worker uses too much of."""
        usage = usage_of(self._pid, self._limits.n_tasks)
        if not usage.n_tasks:  # it has ended: what it was like before that stays known
            return None
        self._n_looks += 1
        self._n_oom_kills_before, self._n_oom_kills = self._n_oom_kills, n_oom_kills(_VMSTAT)
        self._usage_before, self._usage = self._usage, usage
        return (
            self._excess_of_tasks(usage)
            or self._excess_of_memory(usage)
            or self._excess_of_cpu(usage)
            or (self._excess_of_files() if self._n_looks % _LOOKS_PER_FILES_LOOK == 0 else None)
        )

    def _excess_of_memory(self, usage: Usage) -> Failure | None:
        if self._own_oom_counter is not None and n_oom_kills(self._own_oom_counter):
            return self.excess_of_memory()
        limit = self._limits.memory_bytes
        if limit is None or usage.memory_bytes <= limit:
            return None
        if not uses_more_memory(self._pid, self._limits.n_tasks, limit):
            return None
        return self.excess_of_memory()

    def excess_of_memory(self) -> Failure:
        """What is said of a worker that used too much."""
        limit = self._limits.memory_bytes or 0
        message = f"The worker used more memory than the {_mb(limit)} that it may use."
        return Failure(FailureCode.OUT_OF_MEMORY, message, MEMORY_HINT)

    def _excess_of_tasks(self, usage: Usage) -> Failure | None:
        limit = self._limits.n_tasks
        if usage.n_tasks < limit:
            return None
        message = f"The worker had all of the {limit} processes and threads that it may have."
        return Failure(FailureCode.PROCESS_LIMIT, message, PROCESS_HINT)

    def _excess_of_cpu(self, usage: Usage) -> Failure | None:
        if self._cpu_limit_s is None or usage.cpu_s <= self._max_cpu_s:
            return None
        message = f"The trial used more than {self._cpu_limit_s:g} s of CPU time."
        return Failure(FailureCode.CPU_LIMIT, message, "Train shorter, or ask for a higher limit (trial_cpu_limit_s).")

    def _excess_of_files(self) -> Failure | None:
        limit = self._limits.scratch_bytes
        if limit is None:
            return None
        n_bytes = unlinked_bytes(self._pid, self._limits.n_tasks)
        for folder in self._folders:
            found = folder_bytes(folder, limit)
            if found is None:
                message = "The worker has folders that cannot be read, so that what its files take cannot be told."
                return Failure(FailureCode.DISK_FULL, message, "Leave folders readable, and nest them less deeply.")
            n_bytes += found
        self._files_bytes = n_bytes
        if n_bytes <= limit:
            return None
        message = f"The worker's files took {_mb(n_bytes)} or more; they may take {_mb(limit)}."
        return Failure(FailureCode.DISK_FULL, message, SCRATCH_HINT)


PROCESS_HINT = "Start fewer processes and threads (`n_jobs`, `num_workers`), and wait for their end."
SCRATCH_HINT = "Write less, remove what is no longer needed, or ask for a higher limit (worker_scratch_bytes)."


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:,.0f} MB"
