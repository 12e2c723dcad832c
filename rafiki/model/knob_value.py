"""The values that knobs hold, and how whatever a template gives is turned into them or refused."""

from __future__ import annotations

import math
import reprlib
from typing import Any, List, Type, Union

import numpy as np

CategoricalValue = Union[str, int, float, bool]
"""What a categorical or fixed knob can hold. `bool` is a type of its own here, not an `int`."""


class KnobValue:
    """Wraps one candidate. Its identity counts: the same object at several positions of an `ArchKnob` means the
    same thing there. So two of them are equal only if they are one object."""

    __slots__ = ("_value",)

    def __init__(self, value: CategoricalValue) -> None:
        self._value = plain_value(value, "`value`")

    @property
    def value(self) -> CategoricalValue:
        return self._value

    @property
    def dtype(self) -> Type[CategoricalValue]:
        """int, float, bool or str."""
        return type(self._value)

    def __repr__(self) -> str:
        return f"KnobValue({self._value!r})"

    def __str__(self) -> str:
        return str(self._value)


def given(value: Any) -> str:
    """What was given, for an error message: shortened, and its type."""
    return f"{reprlib.repr(value)} ({type(value).__name__})"


def plain_value(value: Any, what: str) -> CategoricalValue:
    """`value` as a plain Python bool, int, finite float or str; NumPy scalars are converted.

    NaN and infinity are refused: they have no JSON form, which every proposal needs.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return plain_float(value, what)
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{what} must be an int, float, bool or str, got {given(value)}")


def plain_int(value: Any, what: str) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{what} must be an int, got {given(value)}")
    return int(value)


def plain_float(value: Any, what: str) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{what} must be a float, got {given(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{what} must be a finite float, got {given(value)}")
    return number


def plain_bool(value: Any, what: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{what} must be a bool, got {given(value)}")
    return bool(value)


def plain_list(value: Any, what: str) -> List[Any]:
    """A list, tuple, range or array as a list that is not empty."""
    if not isinstance(value, (list, tuple, range, np.ndarray)) or (isinstance(value, np.ndarray) and not value.ndim):
        raise TypeError(f"{what} must be a list, got {given(value)}")
    if len(value) == 0:
        raise ValueError(f"{what} must not be empty, got {given(value)}")
    return list(value)


def wrapped(value: Any, what: str) -> KnobValue:
    return value if isinstance(value, KnobValue) else KnobValue(plain_value(value, what))


def unwrapped(value: Any) -> Any:
    """`value` with the content of each `KnobValue` in place of it."""
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value.value if isinstance(value, KnobValue) else value
