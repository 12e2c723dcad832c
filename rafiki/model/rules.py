"""The rules that a template's class must keep, each with the sentence that a class which breaks it is answered with.

A sentence says where, what is wrong, and what right looks like. The platform tells them when a model is uploaded,
`rafiki.model.dev.test_model_class` on its author's machine.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type

from rafiki.model.base import BaseModel
from rafiki.model.knob import serialize_knob_config
from rafiki.model.knob_value import given
from rafiki.model.places import failing_line, place, place_of, place_of_class


class _Method(NamedTuple):
    """How a method is written, what it is for, and how Rafiki calls it: arguments (the instance first), keywords."""

    definition: str
    purpose: str
    arguments: Tuple[Any, ...] = (None,)
    keywords: Mapping[str, Any] = {}
    call: str = ""


_METHODS: Dict[str, _Method] = {
    "train": _Method(
        "def train(self, dataset_path, shared_params=None, **train_args)",
        "to train on the dataset",
        (None, ""),
        {"shared_params": None},
        "train(path, shared_params=...)",
    ),
    "evaluate": _Method(
        "def evaluate(self, dataset_path)",
        "to return the score, a number of which higher is better",
        (None, ""),
        call="evaluate(path)",
    ),
    "predict": _Method(
        "def predict(self, queries)",
        "to return a list with one prediction per query",
        (None, []),
        call="predict(queries)",
    ),
    "dump_parameters": _Method(
        "def dump_parameters(self)", "to return the trained state as a dict", call="dump_parameters()"
    ),
    "load_parameters": _Method(
        "def load_parameters(self, params)",
        "to restore what `dump_parameters` returned",
        (None, {}),
        call="load_parameters(params)",
    ),
    "destroy": _Method("def destroy(self)", "to free what the instance holds", call="destroy()"),
}
_STATIC_METHODS: Dict[str, _Method] = {
    "get_knob_config": _Method("def get_knob_config()", "to return the knobs, a dict by name"),
    "teardown": _Method("def teardown()", "to free what the class holds"),
}
_KNOB_CONFIG = 'a dict of knobs by name, such as `{"depth": IntegerKnob(1, 8)}`'


def check_model_class(cls: Type[BaseModel], train_args: Optional[Mapping[str, Any]] = None) -> List[str]:
    """The rules of templates that a class breaks, one sentence each; none for a class that Rafiki can use.

    Calls its `get_knob_config`, and nothing else of it. With `train_args`, `train` must also take these; where they
    are not known, what else it requires is left to the train job that gives them.
    """
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    problems = [_missing(cls, name) for name in missing]
    for name, method in _METHODS.items():
        if name in missing:
            continue
        if name == "train" and train_args is not None:
            method = _with_train_args(method, train_args)
        problems += _check_method(cls, name, method, is_partial=name == "train" and train_args is None)
    problems += _check_static(cls, "teardown")
    if "get_knob_config" not in missing:
        problems += _check_static(cls, "get_knob_config") or _check_knob_config(cls)
    return problems


def _with_train_args(train: _Method, train_args: Mapping[str, Any]) -> _Method:
    keywords = {**train.keywords, **train_args}
    call = f"train(path, {', '.join(f'{name}=...' for name in keywords)})"
    return train._replace(keywords=keywords, call=call)


def _missing(cls: type, name: str) -> str:
    method = _METHODS.get(name) or _STATIC_METHODS.get(name)
    if method is None:
        right = "write it, or name a class that has it"
    else:
        static = "`@staticmethod` and " if name in _STATIC_METHODS else ""
        right = f"write {static}`{method.definition}:` {method.purpose}"
    return f"{place_of_class(cls)}{cls.__name__} lacks the method `{name}`; {right}."


def _check_method(cls: type, name: str, expected: _Method, is_partial: bool) -> List[str]:
    method = getattr(cls, name)
    right = f"write `{expected.definition}:`"
    if not callable(method):
        return [f"{place_of_class(cls)}`{name}` is {given(method)} and no method; {right}."]
    if isinstance(inspect.getattr_static(cls, name), (staticmethod, classmethod)):
        return [f"{place_of(method)}`{name}` is static, but Rafiki calls it on an instance; {right}."]
    if inspect.iscoroutinefunction(method):
        return [f"{place_of(method)}`{name}` is `async`, but Rafiki does not await it; {right}."]
    if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        return [f"{place_of(method)}`{name}` has a `yield`, so that calling it does nothing; use `return`."]
    problem = _binding_problem(method, expected.arguments, expected.keywords, is_partial)
    if problem is None:
        return []
    return [f"{place_of(method)}`{name}` cannot be called as Rafiki does, `{expected.call}`: {problem}; {right}."]


def _check_static(cls: type, name: str) -> List[str]:
    function = getattr(cls, name)
    definition = _STATIC_METHODS[name].definition
    if not isinstance(inspect.getattr_static(cls, name), (staticmethod, classmethod)):
        right = f"write `@staticmethod` above `{definition}:`, without `self`"
        return [f"{place_of(function)}`{name}` is not static, but Rafiki calls it without an instance; {right}."]
    problem = _binding_problem(function, (), {})
    if problem is None:
        return []
    return [f"{place_of(function)}`{name}` cannot be called without arguments: {problem}; write `{definition}:`."]


def _check_knob_config(cls: Type[BaseModel]) -> List[str]:
    where = place_of(cls.get_knob_config)
    try:
        knob_config = cls.get_knob_config()
    except (Exception, SystemExit) as error:  # noqa: BLE001 (a template's own code may raise anything)
        path = str(getattr(sys.modules.get(cls.__module__), "__file__", ""))
        line = failing_line(error, path)
        where = where if line is None else place(path, line)
        raised = f"{type(error).__name__}: {error}"
        return [f"{where}`get_knob_config` raises {raised}; it must return {_KNOB_CONFIG}, without needing anything."]
    try:
        serialize_knob_config(knob_config)
    except (TypeError, ValueError) as error:
        return [f"{where}`get_knob_config` returns no knob config: {error}; return {_KNOB_CONFIG}."]
    return _check_constructor(cls, list(knob_config))


def _check_constructor(cls: type, knob_names: List[str]) -> List[str]:
    constructor = inspect.getattr_static(cls, "__init__")
    problem = _binding_problem(constructor, (None,), dict.fromkeys(knob_names))
    if problem is None:
        return []
    call = f"{cls.__name__}({', '.join(f'{name}=...' for name in knob_names)})"
    wrong = f"`__init__` cannot be called with the knobs as keywords, `{call}`: {problem}"
    return [f"{place_of(constructor)}{wrong}; write `def __init__(self, **knobs):`."]


def _binding_problem(
    function: Callable[..., Any], arguments: Tuple[Any, ...], keywords: Mapping[str, Any], is_partial: bool = False
) -> Optional[str]:
    """Why `function` cannot be called like this; with `is_partial`, it may require more than is given here."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # not written in Python: nothing to check
        return None
    try:
        (signature.bind_partial if is_partial else signature.bind)(*arguments, **keywords)
    except TypeError as error:
        return str(error)
    return None
