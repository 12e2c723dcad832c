"""Where workers run: an executor starts them and hands out calls on them."""

from rafiki.executor.base import CallFailed, Executor, Worker, WorkerDied, WorkerExit, WorkerSpec
from rafiki.executor.local import LocalExecutor

__all__ = ["CallFailed", "Executor", "LocalExecutor", "Worker", "WorkerDied", "WorkerExit", "WorkerSpec"]
