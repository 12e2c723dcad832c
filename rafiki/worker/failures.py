"""From what a template raised to a failure that its author can act on."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import Any, List, Optional, Tuple, Type

from rafiki.entities import Failure, FailureCode
from rafiki.errors import InvalidModelClassError

_MAX_MESSAGE = 2000


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
        return Failure(FailureCode.EXCEPTION, message, "Needs less memory: smaller batches, or a narrower knob range.")
    return Failure(FailureCode.EXCEPTION, message, "The trial's log has the full traceback.")


def import_failure_of(error: BaseException) -> Failure:
    """The failure for an exception at the import of a template's file."""
    if isinstance(error, InvalidModelClassError):
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError):
            return failure_of(cause)
        if cause is not None:
            return Failure(FailureCode.IMPORT_ERROR, error.message, error.hint)
        return Failure(FailureCode.INVALID_MODEL_CLASS, error.message, error.hint)
    failure = failure_of(error)
    if failure.code == FailureCode.MISSING_DEPENDENCY:
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
