"""Knobs: what a model template lets Rafiki choose, and their JSON form.

Knobs are immutable, and equal when they are defined by the same arguments. Bad arguments raise `TypeError` (a wrong
type) or `ValueError` (a wrong value) with what was given.
"""

from __future__ import annotations

import abc
import json
import reprlib
from collections import Counter
from typing import Any, ClassVar, Dict, Iterator, List, Tuple, Type, Union

from rafiki.model.knob_value import (
    CategoricalValue,
    KnobValue,
    given,
    plain_bool,
    plain_float,
    plain_int,
    plain_list,
    unwrapped,
    wrapped,
)

POLICIES = ("SHARE_PARAMS", "EARLY_STOP", "SKIP_TRAIN", "QUICK_EVAL", "DOWNSCALE")

_MAX_JSON_INT = 2**63 - 1  # beyond it, some readers of JSON lose digits, and Python limits their number


class BaseKnob(abc.ABC):
    """Base of all knobs."""

    #: Names of the constructor's arguments, which are also properties: all that defines a knob.
    _fields: ClassVar[Tuple[str, ...]] = ()

    @property
    @abc.abstractmethod
    def value_type(self) -> type:
        """Type of a realised value."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseKnob) or type(self) is not type(other):
            return NotImplemented
        return serialize_knob_config({"": self}) == serialize_knob_config({"": other})

    def __hash__(self) -> int:
        return hash(serialize_knob_config({"": self}))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{field}={unwrapped(getattr(self, field))!r}" for field in self._fields)
        return f"{type(self).__name__}({arguments})"


class CategoricalKnob(BaseKnob):
    """One of some values of one type."""

    _fields = ("values",)

    def __init__(self, values: List[Union[CategoricalValue, KnobValue]]) -> None:
        self._values = [wrapped(value, "each of `values`") for value in plain_list(values, "`values`")]
        if len({value.dtype for value in self._values}) > 1:
            raise TypeError(f"`values` must be of one type, got {reprlib.repr(unwrapped(self._values))}")

    @property
    def values(self) -> List[KnobValue]:
        return list(self._values)

    @property
    def value_type(self) -> Type[CategoricalValue]:
        return self._values[0].dtype


class FixedKnob(BaseKnob):
    """Always the same value."""

    _fields = ("value",)

    def __init__(self, value: Union[CategoricalValue, KnobValue]) -> None:
        self._value = wrapped(value, "`value`")

    @property
    def value(self) -> KnobValue:
        return self._value

    @property
    def value_type(self) -> Type[CategoricalValue]:
        return self._value.dtype


class IntegerKnob(BaseKnob):
    """An int of an inclusive range. With `is_exp` it is searched on a logarithmic scale, on which a `value_min` of 0
    counts as a tiny positive number."""

    _fields = ("value_min", "value_max", "is_exp")

    def __init__(self, value_min: int, value_max: int, is_exp: bool = False) -> None:
        self._value_min = plain_int(value_min, "`value_min`")
        self._value_max = plain_int(value_max, "`value_max`")
        self._is_exp = plain_bool(is_exp, "`is_exp`")
        _check_range(self._value_min, self._value_max, self._is_exp)

    @property
    def value_min(self) -> int:
        return self._value_min

    @property
    def value_max(self) -> int:
        return self._value_max

    @property
    def is_exp(self) -> bool:
        return self._is_exp

    @property
    def value_type(self) -> Type[int]:
        return int


class FloatKnob(BaseKnob):
    """A float of an inclusive range. With `is_exp` it is searched on a logarithmic scale, on which a `value_min` of 0
    counts as a tiny positive number."""

    _fields = ("value_min", "value_max", "is_exp")

    def __init__(self, value_min: float, value_max: float, is_exp: bool = False) -> None:
        self._value_min = plain_float(value_min, "`value_min`")
        self._value_max = plain_float(value_max, "`value_max`")
        self._is_exp = plain_bool(is_exp, "`is_exp`")
        _check_range(self._value_min, self._value_max, self._is_exp)

    @property
    def value_min(self) -> float:
        return self._value_min

    @property
    def value_max(self) -> float:
        return self._value_max

    @property
    def is_exp(self) -> bool:
        return self._is_exp

    @property
    def value_type(self) -> Type[float]:
        return float


def _check_range(value_min: float, value_max: float, is_exp: bool) -> None:
    if value_min > value_max:
        raise ValueError(f"`value_min` must not exceed `value_max`, got {given(value_min)} and {given(value_max)}")
    if is_exp and value_min < 0:
        raise ValueError(f"`value_min` must not be negative where `is_exp` is true, got {given(value_min)}")


class PolicyKnob(BaseKnob):
    """Whether a policy is active in a trial. It is off unless the advisor turns it on."""

    _fields = ("policy",)

    def __init__(self, policy: str) -> None:
        if not isinstance(policy, str):
            raise TypeError(f"`policy` must be a str, got {given(policy)}")
        if policy not in POLICIES:
            raise ValueError(f"`policy` must be one of {', '.join(POLICIES)}, got {given(policy)}")
        self._policy = str.__str__(policy)

    @property
    def policy(self) -> str:
        return self._policy

    @property
    def value_type(self) -> Type[bool]:
        return bool


class ArchKnob(BaseKnob):
    """An architecture: a list with one candidate per position."""

    _fields = ("items",)

    def __init__(self, items: List[List[Union[CategoricalValue, KnobValue]]]) -> None:
        self._items = [
            [wrapped(value, f"each of `items[{i}]`") for value in plain_list(item, f"`items[{i}]`")]
            for i, item in enumerate(plain_list(items, "`items`"))
        ]

    @property
    def items(self) -> List[List[KnobValue]]:
        return [list(item) for item in self._items]

    def __len__(self) -> int:
        """Number of positions."""
        return len(self._items)

    @property
    def value_type(self) -> Type[List[Any]]:
        return list


KnobConfig = Dict[str, BaseKnob]
"""A search space: a knob by name."""

_KNOB_TYPES: Dict[str, Type[BaseKnob]] = {
    knob_type.__name__: knob_type
    for knob_type in (CategoricalKnob, FixedKnob, IntegerKnob, FloatKnob, PolicyKnob, ArchKnob)
}


def serialize_knob_config(knob_config: KnobConfig) -> str:
    """The knob config as JSON text, without loss: `deserialize_knob_config` gives an equal one back.

    An object with `{"type": class name, argument: value, ...}` per knob, in their order. A `KnobValue` is its bare
    value; one that stands at several places is `{"shared": number, "value": value}` at each, with a number of its
    own. Ints beyond 64 bits are `{"int": hexadecimal}`. TypeError where it is no `KnobConfig`.
    """
    if not isinstance(knob_config, dict):
        raise TypeError(f"a knob config must be a dict of knobs by name, got {given(knob_config)}")
    for name, knob in knob_config.items():
        if not isinstance(name, str):
            raise TypeError(f"a knob's name must be a str, got {given(name)}")
        if not isinstance(knob, tuple(_KNOB_TYPES.values())):
            raise TypeError(f"knob {name!r} must be one of {', '.join(_KNOB_TYPES)}, got {given(knob)}")
    fields = {name: {field: getattr(knob, field) for field in knob._fields} for name, knob in knob_config.items()}
    n_places = Counter(id(value) for knob in fields.values() for value in _knob_values(list(knob.values())))
    numbers: Dict[int, int] = {}

    def encode(value: Any) -> Any:
        if isinstance(value, list):
            return [encode(item) for item in value]
        if isinstance(value, KnobValue) and n_places[id(value)] > 1:
            return {"shared": numbers.setdefault(id(value), len(numbers)), "value": encode(value.value)}
        if isinstance(value, KnobValue):
            return encode(value.value)
        if isinstance(value, int) and abs(value) > _MAX_JSON_INT:
            return {"int": hex(value)}
        return value

    return json.dumps(
        {
            name: {"type": _type_name(knob_config[name]), **{field: encode(value) for field, value in knob.items()}}
            for name, knob in fields.items()
        }
    )


def _knob_values(value: Any) -> Iterator[KnobValue]:
    if isinstance(value, list):
        for item in value:
            yield from _knob_values(item)
    elif isinstance(value, KnobValue):
        yield value


def _type_name(knob: BaseKnob) -> str:
    """A template's own subclass of a knob goes by the name of ours."""
    return next(cls.__name__ for cls in type(knob).__mro__ if _KNOB_TYPES.get(cls.__name__) is cls)


def deserialize_knob_config(text: str) -> KnobConfig:
    """The knob config that `serialize_knob_config` made `text` from. ValueError where no such text can be."""
    try:
        content = json.loads(text)
        shared: Dict[int, KnobValue] = {}
        return {name: _decode_knob(fields, shared) for name, fields in content.items()}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not the text of a knob config: {type(error).__name__}: {error}") from error


def _decode_knob(fields: Dict[str, Any], shared: Dict[int, KnobValue]) -> BaseKnob:
    def decode(value: Any) -> Any:
        if isinstance(value, list):
            return [decode(item) for item in value]
        if isinstance(value, dict) and "int" in value:
            return int(value["int"], 16)
        if isinstance(value, dict):
            content = KnobValue(decode(value["value"]))
            knob_value = shared.setdefault(value["shared"], content)
            if (knob_value.dtype, knob_value.value) != (content.dtype, content.value):
                raise ValueError(f"two values share the number {value['shared']}")
            return knob_value
        return value

    arguments = {name: decode(value) for name, value in fields.items() if name != "type"}
    return _KNOB_TYPES[fields["type"]](**arguments)
