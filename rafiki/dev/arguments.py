"""What the command line says of budget and knobs: `--TIME_HOURS=0.5 --learning_rate=0.01`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from rafiki.constants import Budget, BudgetOption
from rafiki.model import (
    ArchKnob,
    BaseKnob,
    CategoricalKnob,
    FixedKnob,
    FloatKnob,
    IntegerKnob,
    KnobConfig,
)

DEFAULT_TIME_HOURS = 0.01

_BUDGET_TYPES: dict[str, type[int] | type[float]] = {
    BudgetOption.TIME_HOURS: float,
    BudgetOption.MODEL_TRIAL_COUNT: int,
    BudgetOption.GPU_COUNT: int,
}
_BUDGET_KEYS = frozenset(value for key, value in vars(BudgetOption).items() if key.isupper())


def read_budget(budget: Budget | None, arguments: Sequence[str]) -> Budget:
    """The command line's budget before `budget` before the defaults. ValueError names what is impossible."""
    given = dict(budget or {})
    unknown = [key for key in given if key not in _BUDGET_KEYS]
    if unknown:
        raise ValueError(f"the budget has no key {unknown[0]!r}; its keys are {', '.join(sorted(_BUDGET_KEYS))}")
    given.update(_options(arguments, _BUDGET_TYPES))
    merged: Budget = {
        BudgetOption.TIME_HOURS: DEFAULT_TIME_HOURS,
        BudgetOption.MODEL_TRIAL_COUNT: -1,
        BudgetOption.GPU_COUNT: 0,
        **given,
    }
    for key, number_type in _BUDGET_TYPES.items():
        merged[key] = _number(key, merged[key], number_type, minimum=-1 if key == BudgetOption.MODEL_TRIAL_COUNT else 0)
    return merged


def _number(key: str, value: Any, number_type: type[int] | type[float], minimum: int) -> int | float:
    kind = "a whole number" if number_type is int else "a number"
    try:
        number = number_type(value)
    except (TypeError, ValueError):
        raise ValueError(f"{key} is {value!r}, expected {kind}") from None
    if isinstance(value, bool) or (not isinstance(value, str) and number != value) or not number >= minimum:
        raise ValueError(f"{key} is {value!r}, expected {kind} of at least {minimum}")
    return number


def fix_knobs(knob_config: KnobConfig, arguments: Sequence[str]) -> KnobConfig:
    """The knob config with those knobs fixed that `--<knob>=value` names; other arguments are nobody's business here.

    ValueError says which knob cannot take the value that is given, and what it can.
    """
    options = _options(arguments, knob_config)
    return {name: _fixed(name, knob, options[name]) if name in options else knob for name, knob in knob_config.items()}


def _options(arguments: Sequence[str], names: Mapping[str, Any]) -> dict[str, str]:
    """The arguments `--name=value` whose name is one of `names`; the last of a name counts."""
    options = {}
    for argument in arguments:
        name, separator, value = argument.removeprefix("--").partition("=")
        if argument.startswith("--") and separator and name in names:
            options[name] = value
    return options


def _fixed(name: str, knob: BaseKnob, text: str) -> BaseKnob:
    value = _parsed(knob.value_type, text)
    is_of_type = type(value) is knob.value_type
    if not is_of_type or not _is_within(knob, value):
        raise ValueError(f"--{name}={text}: knob {name!r} takes {_expected(knob)}")
    if isinstance(knob, ArchKnob):
        return ArchKnob([[candidate] for candidate in value])
    return FixedKnob(value)


def _parsed(value_type: type, text: str) -> Any:
    """Strings stand for themselves, all else is a Python literal; what is none stays a string."""
    if value_type is str:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return float(value) if value_type is float and type(value) is int else value


def _is_within(knob: BaseKnob, value: Any) -> bool:
    if isinstance(knob, (FloatKnob, IntegerKnob)):
        return bool(knob.value_min <= value <= knob.value_max)
    if isinstance(knob, CategoricalKnob):
        return value in [each.value for each in knob.values]
    if isinstance(knob, ArchKnob):
        return len(value) == len(knob) and all(
            any(type(given) is each.dtype and given == each.value for each in candidates)
            for given, candidates in zip(value, knob.items, strict=True)
        )
    return True


def _expected(knob: BaseKnob) -> str:
    if isinstance(knob, IntegerKnob):
        return f"a whole number from {knob.value_min} to {knob.value_max}"
    if isinstance(knob, FloatKnob):
        return f"a number from {knob.value_min} to {knob.value_max}"
    if isinstance(knob, CategoricalKnob):
        return f"one of {', '.join(repr(each.value) for each in knob.values)}"
    if isinstance(knob, ArchKnob):
        return f"a list of {len(knob)} values, one of the candidates of each position"
    return "True or False" if knob.value_type is bool else f"a value of type {knob.value_type.__name__}"
