"""Budgets as users give them: unknown keys and impossible values are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rafiki.advisor import ADVISORS
from rafiki.constants import BudgetOption, InferenceBudgetOption
from rafiki.errors import InsufficientResourcesError, InvalidRequestError, InvalidTrainJobError, RafikiError

ADVISOR_NAMES = tuple(advisor.__name__ for advisor in ADVISORS)
DEFAULT_TIME_HOURS = 0.1

_MAX_COUNT = 10**9
_MAX_HOURS = 10**6


@dataclass(frozen=True)
class _Option:
    is_valid: Callable[[Any], bool]
    expected: str


def _is_count(minimum: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and minimum <= value <= _MAX_COUNT


_GPU_COUNT = _Option(_is_count(0), "a whole number from 0")

TRAIN_OPTIONS: Mapping[str, _Option] = {
    BudgetOption.TIME_HOURS: _Option(
        lambda value: type(value) in (int, float) and 0 < value <= _MAX_HOURS,
        f"a number of hours above 0, at most {_MAX_HOURS}",
    ),
    BudgetOption.MODEL_TRIAL_COUNT: _Option(
        lambda value: value == -1 or _is_count(1)(value), "a whole number from 1, or -1 for no limit"
    ),
    BudgetOption.GPU_COUNT: _GPU_COUNT,
    BudgetOption.WORKER_COUNT: _Option(_is_count(1), "a whole number from 1"),
    BudgetOption.HARD_LIMIT: _Option(lambda value: type(value) is bool, "true or false"),
    BudgetOption.ADVISOR: _Option(lambda value: value in ADVISOR_NAMES, f"one of {', '.join(ADVISOR_NAMES)}"),
}
INFERENCE_OPTIONS: Mapping[str, _Option] = {
    InferenceBudgetOption.GPU_COUNT: _GPU_COUNT,
    InferenceBudgetOption.MAX_MEMBERS: _Option(_is_count(1), "a whole number from 1"),
    InferenceBudgetOption.ENSEMBLE: _Option(lambda value: value == "mean", "'mean'"),
}


def check_train_budget(budget: Any, n_gpus: int) -> dict[str, Any]:
    """The budget with its defaults filled in; `InvalidTrainJobError` or `InsufficientResourcesError`."""
    given = _check(budget, TRAIN_OPTIONS, n_gpus, InvalidTrainJobError)
    return {BudgetOption.TIME_HOURS: DEFAULT_TIME_HOURS, BudgetOption.GPU_COUNT: 0, **given}


def check_inference_budget(budget: Any, n_gpus: int) -> dict[str, Any]:
    """The budget with its defaults filled in; `InvalidRequestError` or `InsufficientResourcesError`."""
    given = _check(budget, INFERENCE_OPTIONS, n_gpus, InvalidRequestError)
    return {InferenceBudgetOption.GPU_COUNT: 0, **given}


def _check(budget: Any, options: Mapping[str, _Option], n_gpus: int, error: type[RafikiError]) -> dict[str, Any]:
    if budget is None:
        return {}
    if not isinstance(budget, dict):
        raise error(f"the budget is {budget!r:.100}, expected an object such as {{'GPU_COUNT': 0}}")
    checked = {}
    for key, value in budget.items():
        option = options.get(key)
        if option is None:
            raise error(f"the budget has no key {key!r:.100}", f"its keys are {', '.join(options)}")
        # Clients of languages with one kind of number send 2.0 for 2.
        checked[key] = int(value) if type(value) is float and value.is_integer() else value
        if not option.is_valid(checked[key]):
            raise error(f"{key} of the budget is {value!r:.100}, expected {option.expected}")
    n_wanted = checked.get(BudgetOption.GPU_COUNT, 0)
    if n_wanted > n_gpus:
        there = "there is 1 GPU" if n_gpus == 1 else f"there are {n_gpus} GPUs"
        fewer = f"ask for at most {n_gpus}, or leave" if n_gpus else "leave"
        raise InsufficientResourcesError(
            f"GPU_COUNT of the budget is {n_wanted}, and {there}",
            f"{fewer} it out: models then run on the cores",
        )
    return checked
