"""The limits of one train job's trials, as an admin gives them: unknown names and impossible values are refused."""

from __future__ import annotations

from typing import Any

from rafiki.constants import TrainJobLimit
from rafiki.errors import InvalidTrainJobError
from rafiki.settings import usable_memory_bytes

#: A worker that has imported nothing but ours takes about half of it.
MIN_MEMORY_BYTES = 64 * 2**20
MAX_TRIAL_TIME_S = 10**9

_NAMES = (TrainJobLimit.TRIAL_TIME_S, TrainJobLimit.MEMORY_BYTES)


def check_limits(limits: Any) -> dict[str, Any] | None:
    """What is to be kept with the job; None where the settings' limits hold. Raises `InvalidTrainJobError`."""
    if limits is None:
        return None
    if not isinstance(limits, dict):
        raise InvalidTrainJobError(f"limits is {limits!r:.100}, expected an object such as {{'trial_time_s': 600}}")
    checked = {}
    for name, value in limits.items():
        if name not in _NAMES:
            raise InvalidTrainJobError(f"the limits have no {name!r:.100}", f"they are {', '.join(_NAMES)}")
        checked[name] = _trial_time_s(value) if name == TrainJobLimit.TRIAL_TIME_S else _memory_bytes(value)
    return checked or None


def _trial_time_s(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value <= MAX_TRIAL_TIME_S:
        expected = f"a number of seconds above 0, at most {MAX_TRIAL_TIME_S}"
        raise InvalidTrainJobError(f"trial_time_s of the limits is {value!r:.100}, expected {expected}")
    return float(value)


def _memory_bytes(value: Any) -> int:
    # Clients of languages with one kind of number send 4e9 for 4000000000.
    n_bytes = int(value) if type(value) is float and value.is_integer() else value
    if type(n_bytes) is not int or n_bytes < MIN_MEMORY_BYTES:
        expected = f"a whole number of bytes from {MIN_MEMORY_BYTES} (64 MiB)"
        raise InvalidTrainJobError(f"memory_bytes of the limits is {value!r:.100}, expected {expected}")
    there = usable_memory_bytes()
    if n_bytes > there:
        message = f"memory_bytes of the limits is {n_bytes}, and this machine has {there} bytes of memory"
        raise InvalidTrainJobError(message, f"allow at most {there}")
    return n_bytes
