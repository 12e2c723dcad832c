"""From what a template raised to a failure that its author can act on."""

from __future__ import annotations

import errno
import os
import socket
import sys
import traceback
from types import TracebackType
from typing import Any, Iterator, List, Optional, Tuple, Type

from rafiki.entities import Failure, FailureCode
from rafiki.errors import InvalidModelClassError

_MAX_MESSAGE = 2000

LOG_HINT = "The trial's log has the full traceback."


class TrialFailed(Exception):  # noqa: N818 (an outcome, not a fault of ours)
    """A trial, or another use of a template, ended with this failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


def describe(error: BaseException) -> str:
    """`ValueError: too small`; a template's exception may fail even at being printed."""
    try:
        text = str(error)
    except Exception as second:  # noqa: BLE001 (the template's own __str__)
        text = f"(its message cannot be had: {type(second).__name__})"
    name = type(error).__name__
    text = f"{name}: {text}" if text else name
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "..."


def failure_of(error: BaseException, model_class: Optional[Type[Any]] = None) -> Failure:
    """The failure for an exception that a template's code raised, with the template's line where it came from."""
    message = describe(error) + _place(error, model_class)
    if isinstance(error, ModuleNotFoundError):
        return Failure(FailureCode.MISSING_DEPENDENCY, message, _missing_module_hint(error.name or ""))
    if isinstance(error, SystemExit):
        hint = "A template must not end its process; raise an exception that says what is wrong."
        return Failure(FailureCode.EXCEPTION, message, hint)
    if isinstance(error, MemoryError):
        return Failure(FailureCode.OUT_OF_MEMORY, message, _MEMORY_HINT)
    if isinstance(error, RuntimeError) and "can't start new thread" in message:
        return Failure(FailureCode.PROCESS_LIMIT, message, _PROCESS_HINT)
    for cause in _causes(error):
        if isinstance(cause, OSError):
            code, hint = _code_and_hint(cause)
            if code:
                return Failure(code, message, hint)
    return Failure(FailureCode.EXCEPTION, message, LOG_HINT)


_MEMORY_HINT = "Use less memory: smaller batches, or a narrower knob range."
_PROCESS_HINT = "Start fewer processes and threads (`n_jobs`, `num_workers`), and wait for their end."
DISK_HINT = "Write less, remove what is no longer needed, or ask for a higher limit (worker_scratch_bytes)."
_NETWORK_HINT = (
    "Workers have no network. An admin can allow it for a model (setting worker_allow_network), or put files that are "
    "needed on the server's machine (setting worker_readable)."
)
_FILE_HINT = (
    "A template's process has its datasets and its own folder (the working directory), and none of the machine's other "
    "files, unless an admin shows them (setting worker_readable)."
)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
_is_confined = _is_network_blocked = False


def set_confined(is_confined: bool, has_network: bool) -> None:
    """Whether this process is in a sandbox, so that what fails for that can be told."""
    global _is_confined, _is_network_blocked
    _is_confined, _is_network_blocked = is_confined, not has_network


def is_disk_full(error: OSError) -> bool:
    """Whether the disk was full, or the part of it that this process may use."""
    return error.errno in _DISK_FULL


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, and those in whose handling it was raised: libraries wrap what the system told them."""
    seen = set()
    cause: Optional[BaseException] = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__


def _code_and_hint(error: OSError) -> Tuple[str, str]:
    if is_disk_full(error):
        return FailureCode.DISK_FULL, DISK_HINT
    if isinstance(error, BlockingIOError):
        return FailureCode.PROCESS_LIMIT, _PROCESS_HINT
    is_unreachable = isinstance(error, socket.gaierror) or error.errno in _UNREACHABLE
    if _is_network_blocked and is_unreachable:
        return FailureCode.NETWORK_BLOCKED, _NETWORK_HINT
    if _is_confined and isinstance(error, (FileNotFoundError, PermissionError)) and os.path.isabs(str(error.filename)):
        return FailureCode.EXCEPTION, _FILE_HINT
    return "", ""


def import_failure_of(error: BaseException) -> Failure:
    """The failure for an exception at the import of a template's file."""
    if isinstance(error, InvalidModelClassError):
        cause = error.__cause__
        if cause is not None and failure_of(cause).code != FailureCode.EXCEPTION:
            return failure_of(cause)
        if cause is not None:
            return Failure(FailureCode.IMPORT_ERROR, error.message, error.hint)
        return Failure(FailureCode.INVALID_MODEL_CLASS, error.message, error.hint)
    failure = failure_of(error)
    if failure.code != FailureCode.EXCEPTION:
        return failure
    hint = "Importing the file must not fail: run it with `python` where its dependencies are installed."
    return Failure(FailureCode.IMPORT_ERROR, f"The model's file cannot be imported: {failure.message}", hint)


def _missing_module_hint(name: str) -> str:
    if name.partition(".")[0] == "rafiki":
        return "A template can import rafiki.model, rafiki.constants and rafiki.config, nothing else of Rafiki."
    package = name.partition(".")[0]
    return f"Declare the package that has {package!r} in the model's `dependencies`, with its version."


def _place(error: BaseException, model_class: Optional[Type[Any]]) -> str:
    """` (MyModel.py, line 42, in train)`: the innermost frame in the template's file, else in code that is not ours."""
    if isinstance(error, SyntaxError):
        return ""  # its message has its own place
    frames = user_frames(error.__traceback__)
    template_path = getattr(sys.modules.get(model_class.__module__), "__file__", None) if model_class else None
    in_template = [frame for frame in frames if frame.filename == template_path]
    for frame in reversed(in_template or frames):
        name = frame.filename.replace("\\", "/").rpartition("/")[2]
        return f" ({name}, line {frame.lineno}, in {frame.name})"
    return ""


def user_frames(trace: Optional[TracebackType]) -> List[traceback.FrameSummary]:
    """The frames from the first one on that is not Rafiki's own."""
    frames = traceback.extract_tb(trace)
    ours = _package_dir()
    first = next((i for i, frame in enumerate(frames) if not frame.filename.startswith(ours)), len(frames))
    return list(frames[first:])


def format_user_traceback(error: BaseException) -> str:
    """The traceback as Python prints it, beginning in the template's code."""
    summary = traceback.StackSummary.from_list(user_frames(error.__traceback__))
    lines: Tuple[str, ...] = ("Traceback (most recent call last):\n", *summary.format())
    return "".join(lines) + "".join(traceback.format_exception_only(type(error), error))


def _package_dir() -> str:
    return __file__[: -len("worker/failures.py")]
