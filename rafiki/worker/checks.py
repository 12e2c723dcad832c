"""Fields of messages: what is sent is made storable, what a worker sent is checked, for it may be anything."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict

from rafiki.entities import Failure, FailureCode

#: Characters of a failure's message, and of its hint.
MAX_FAILURE_CHARS = 16_384
#: What a worker may say of itself. The others are for us to say: some of them have a trial repeated.
_WORKERS_CODES = frozenset(
    {
        FailureCode.IMPORT_ERROR,
        FailureCode.INVALID_MODEL_CLASS,
        FailureCode.MISSING_DEPENDENCY,
        FailureCode.EXCEPTION,
        FailureCode.BAD_SCORE,
        FailureCode.BAD_PARAMETERS,
        FailureCode.BAD_PREDICTIONS,
        FailureCode.OUT_OF_MEMORY,
        FailureCode.DISK_FULL,
        FailureCode.PROCESS_LIMIT,
        FailureCode.NETWORK_BLOCKED,
        FailureCode.INTERNAL,
    }
)


class ProtocolError(Exception):
    """The other side sent something that is no message of the protocol."""


def _is_text(value: Any) -> bool:
    """Text that can be stored and sent on: lone surrogates cannot."""
    return isinstance(value, str) and (value.isascii() or bool(value.encode()))


def clean_text(text: str) -> str:
    """`text` in a form that can be stored and sent on: lone surrogates are written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: Dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "bool": lambda value: isinstance(value, bool),
    "int": _is_int,
    "Optional[int]": lambda value: value is None or _is_int(value),
    "Optional[str]": lambda value: value is None or _is_text(value),
    "Optional[float]": lambda value: value is None or (isinstance(value, float) and math.isfinite(value)),
    "Dict[str, Any]": lambda value: isinstance(value, dict),
    "Optional[Dict[str, Any]]": lambda value: value is None or isinstance(value, dict),
    "List[str]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
}


def of_type(annotation: str, value: Any) -> Any:
    """`value`, checked against a field's annotation (as it stands in the code). Raises `ProtocolError`."""
    if not _CHECKS[annotation](value):
        raise ProtocolError(f"a field is a {type(value).__name__}, expected {annotation}")
    return value


def failure_of_texts(texts: Dict[str, Any]) -> Failure:
    """What a worker says of itself. Raises `ProtocolError` where that is not for it to say."""
    failure = Failure(**{name: of_type("str", text)[:MAX_FAILURE_CHARS] for name, text in texts.items()})
    if failure.code not in _WORKERS_CODES:
        raise ProtocolError(f"a worker that fails with {failure.code[:100]!r}")
    return failure
