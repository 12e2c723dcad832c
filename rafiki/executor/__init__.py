"""Where workers run: an executor starts them and hands out calls on them."""

from rafiki.executor.allowance import Allowance, Limits
from rafiki.executor.base import CallFailed, Executor, Worker, WorkerDied, WorkerExit, WorkerSpec
from rafiki.executor.checker import CheckedDataset, Checker, CheckFailed, Sample
from rafiki.executor.local import LocalExecutor
from rafiki.executor.platform import PlatformExecutor

__all__ = [
    "Allowance",
    "CallFailed",
    "CheckFailed",
    "CheckedDataset",
    "Checker",
    "Executor",
    "Limits",
    "LocalExecutor",
    "PlatformExecutor",
    "Sample",
    "Worker",
    "WorkerDied",
    "WorkerExit",
    "WorkerSpec",
]
