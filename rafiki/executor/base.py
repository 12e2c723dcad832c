"""What every executor guarantees."""

from __future__ import annotations

import asyncio
import signal as signals
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rafiki.entities import Failure, FailureCode
from rafiki.environment import Environment
from rafiki.executor.allowance import Allowance
from rafiki.worker.frames import Log, Reply, Request

_MAX_SHOWN_OUTPUT = 2000


@dataclass(frozen=True)
class WorkerSpec:
    """A worker to be started. `scratch_dir` is its own folder and exists; so does `cache_dir`, where one is given.

    `gpus` are the indices of the GPUs that it has for itself. Every other file that it is to read is in `allowance`:
    where workers are confined they see nothing else.
    """

    worker_id: str
    environment: Environment
    model_path: Path
    model_class: str
    scratch_dir: Path
    cache_dir: Path | None = None
    n_threads: int = 1
    gpus: tuple[int, ...] = ()
    allowance: Allowance = field(default_factory=Allowance)


@dataclass(frozen=True)
class WorkerExit:
    """How a worker's process ended: by itself with a code, or by a signal; `output` is the last that it printed.

    `was_stopped`: we ended it, by `stop` or `kill`. `reason`: we ended it, for what it sent or used.
    `was_short_of_memory`: it was near its limit, or the machine near its end, when it was last looked at.
    """

    exit_code: int | None
    signal: int | None
    output: str = ""
    was_stopped: bool = False
    reason: Failure | None = None
    was_short_of_memory: bool = False

    def failure(self) -> Failure:
        """The exit as the failure of what the worker was doing."""
        if self.reason is not None:
            return Failure(self.reason.code, self.reason.message + self._last_output(), self.reason.hint)
        if self.signal == signals.SIGKILL and self.was_stopped:
            return Failure(FailureCode.INTERRUPTED, "The platform stopped the worker.")
        if self.signal == signals.SIGKILL and self.was_short_of_memory:
            message = "The worker was killed by signal 9 (SIGKILL), probably because it was out of memory."
            return Failure(FailureCode.OUT_OF_MEMORY, message + self._last_output(), MEMORY_HINT)
        if self.signal is not None:
            message = f"The worker was killed by signal {self.signal} ({_signal_name(self.signal)})."
            return Failure(FailureCode.KILLED, message + self._last_output(), _KILLED_HINTS.get(self.signal, ""))
        if self.output.startswith("bwrap: "):
            return Failure(FailureCode.INTERNAL, "The worker's sandbox could not be made." + self._last_output())
        message = f"The template's code ended its process, with exit code {self.exit_code}."
        hint = "A template must not end its process; raise an exception that says what is wrong."
        return Failure(FailureCode.EXITED, message + self._last_output(), hint)

    def _last_output(self) -> str:
        lines = self.output.rstrip()
        return f" Its last output:\n{lines[-_MAX_SHOWN_OUTPUT:]}" if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


MEMORY_HINT = "Use less (smaller batches, narrower knobs), or ask for a higher limit (worker_memory_limit_bytes)."
_KILLED_HINTS: dict[int, str] = {
    signals.SIGKILL: "It was killed from outside: most often by an operator, or by a machine that is out of memory.",
    signals.SIGSEGV: "Native code of one of the template's libraries crashed; its versions may not fit together.",
    signals.SIGABRT: "Native code of one of the template's libraries gave up; the output above may say why.",
    signals.SIGILL: "A library was built for another kind of processor.",
}


class CallFailed(Exception):  # noqa: N818 (an outcome, not a fault of ours)
    """The worker answered that the template's code failed. The worker itself is well and takes further calls."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


class WorkerDied(Exception):  # noqa: N818
    """The worker's process ended before it answered, or had ended already."""

    def __init__(self, worker_exit: WorkerExit) -> None:
        super().__init__(worker_exit.failure().message)
        self.exit = worker_exit

    def failure(self) -> Failure:
        return self.exit.failure()


@dataclass(frozen=True)
class ProcessEnd:
    """How a process ended: its exit code, or -n where signal n ended it; `output` is the last that it printed."""

    code: int
    output: str
    was_out_of_memory: bool = False  # the kernel ended it, or one of its children, for using all that it may


class Process(ABC):
    """A worker's process and all that it starts, as seen from the runner. It has been started.

    `oom_counter` is the file that counts the kernel's kills for its memory limit, where the kernel keeps to one.
    `is_over` may be so before its end is told: how it ended must be found out first.
    """

    pid: int
    oom_counter: Path | None = None
    is_over: bool = False

    @abstractmethod
    def kill(self) -> None:
        """End all of its processes at once. No effect on one that has ended."""

    @abstractmethod
    def reap(self) -> ProcessEnd:
        """To be called once, after it has ended."""


class Worker(ABC):
    """A process that runs one model template's code.

    `on_log` is called with the lines of a trial's log as they come; all of them before the trial's reply.
    """

    id: str
    pid: int
    spec: WorkerSpec
    on_log: Callable[[Log], None] | None = None

    @property
    @abstractmethod
    def exited(self) -> asyncio.Future[WorkerExit]:
        """Done within milliseconds of the process's end, never with an exception.

        Cancelling it (as a cancelled task that awaits it does) has no effect on others.
        """

    @abstractmethod
    async def call(
        self, request: Request, *, timeout_s: float | None = None, cpu_limit_s: float | None = None
    ) -> Reply:
        """The worker's answer. Calls may be made while others are under way; they are answered in order.

        A worker that uses more than it is allowed to, or more CPU time than `cpu_limit_s` from here on, is ended.

        Raises `CallFailed` when the template's code failed, `WorkerDied` when the process ended, `TimeoutError` after
        `timeout_s`: then, as when the caller is cancelled, the worker goes on with it, and the answer is dropped.
        `TypeError` or `ValueError`: the request cannot be sent.
        """

    @property
    def is_worn(self) -> bool:
        """It has used up so much of what it may use that it is not worth keeping for another trial."""
        return False

    @abstractmethod
    async def stop(self, grace_s: float = 5.0) -> None:
        """End it in order, after what it is doing; by force after `grace_s`. Returns when it has ended."""

    @abstractmethod
    def kill(self) -> None:
        """End it and all of its processes at once. No effect on one that has ended."""


class Executor(ABC):
    @abstractmethod
    async def start(self, spec: WorkerSpec) -> Worker:
        """Start a worker. Does not wait until it has imported the template: the first call does.

        Raises `EnvironmentBuildError` when the environment's interpreter cannot be started.
        """

    @abstractmethod
    async def close(self) -> None:
        """End all workers at once. When this returns, none is left."""
