"""From the bytes of a template's file to its class, and the rules that a template's class must keep."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import sys
import threading
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Type

from rafiki.errors import InvalidModelClassError
from rafiki.model.base import BaseModel
from rafiki.model.knob import serialize_knob_config
from rafiki.model.knob_value import given

_loading = threading.RLock()


def load_model_class(model_file_bytes: bytes, model_class: str, file_path: Optional[str] = None) -> Type[BaseModel]:
    """The class of this name that a template's file defines.

    The file becomes a module that is named by its content: two templates of one name do not meet, what one pickles of
    its own classes another process with the same file can unpickle, and loading it twice gives the same class. Its
    lines show in tracebacks under `file_path` (default: a name made from the class's).

    InvalidModelClassError says, with the line where it is known, that the file does not parse or fails as it is
    imported (then the exception is its `__cause__`), or that it has no such class or one that is no `BaseModel`.
    """
    digest = hashlib.sha256(model_file_bytes).hexdigest()[:16]
    with _loading:
        module = sys.modules.get(f"rafiki_template_{digest}")
        if module is None:
            path = file_path or f"rafiki_template_{digest}/{model_class}.py"
            module = _load_module(model_file_bytes, f"rafiki_template_{digest}", path)
    cls = getattr(module, model_class, None)
    lines = _class_lines(module)
    if cls is None:
        raise InvalidModelClassError(
            f"the file has no class {model_class}", f"its classes are: {', '.join(lines) or 'none'}"
        )
    if not isinstance(cls, type) or not issubclass(cls, BaseModel) or cls is BaseModel:
        raise InvalidModelClassError(
            f"{_line(lines.get(model_class))}{model_class} is no subclass of BaseModel",
            f"write `class {model_class}(BaseModel):`, with `from rafiki.model import BaseModel`",
        )
    return cls


def _load_module(source: bytes, name: str, path: str) -> ModuleType:
    from importlib.util import decode_source

    try:
        text = decode_source(source)
        code = compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise InvalidModelClassError(f"{_line(error.lineno)}{error.msg}{f': {line}' if line else ''}") from error
    # Bytes that are no text, null bytes, nesting beyond the parser's limit.
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidModelClassError(f"the file is no Python source: {error}") from error
    module = ModuleType(name)
    module.__file__ = path
    # Without a modification time the entry stays, though there is no such file.
    linecache.cache[path] = (len(text), None, [line + "\n" for line in text.split("\n")], path)
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    # A template's own code: it may raise anything, and may try to exit.
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InvalidModelClassError(
            f"{_line(_failing_line(error, path))}the file cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


def _line(number: Optional[int]) -> str:
    return "" if number is None else f"line {number}: "


def _failing_line(error: BaseException, path: str) -> Optional[int]:
    """The innermost line of the file on the way to where `error` was raised."""
    line = None
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == path:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _class_lines(module: ModuleType) -> Dict[str, int]:
    """Line of each class of a template's file, by name."""
    source = "".join(linecache.getlines(str(module.__file__)))
    return {node.name: node.lineno for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


# --- rules ----------------------------------------------------------------------------------------------------------

_SIGNATURES: Dict[str, str] = {
    "get_knob_config": "@staticmethod get_knob_config() -> dict of knobs by name",
    "train": "train(self, dataset_path, shared_params=None, **train_args)",
    "evaluate": "evaluate(self, dataset_path) -> float",
    "predict": "predict(self, queries) -> list",
    "dump_parameters": "dump_parameters(self) -> dict",
    "load_parameters": "load_parameters(self, params)",
    "destroy": "destroy(self)",
    "teardown": "@staticmethod teardown()",
}

# How Rafiki calls each method of an instance: (arguments, keyword arguments), the instance first.
_CALLS: Dict[str, Any] = {
    "train": ((None, ""), {"shared_params": None}),
    "evaluate": ((None, ""), {}),
    "predict": ((None, []), {}),
    "dump_parameters": ((None,), {}),
    "load_parameters": ((None, {}), {}),
    "destroy": ((None,), {}),
}


def check_model_class(cls: Type[BaseModel]) -> List[str]:
    """The rules of templates that a class breaks, one sentence each; none for a class that Rafiki can use.

    Calls its `get_knob_config`, and nothing else of it.
    """
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    problems = [f"{cls.__name__} lacks the method `{_SIGNATURES.get(name, name)}`." for name in missing]
    for name, (arguments, keywords) in _CALLS.items():
        if name not in missing:
            problems += _check_method(cls, name, arguments, keywords)
    problems += _check_static(cls, "teardown")
    if "get_knob_config" not in missing:
        problems += _check_static(cls, "get_knob_config") or _check_knob_config(cls)
    return problems


def _check_method(cls: type, name: str, arguments: Any, keywords: Dict[str, Any]) -> List[str]:
    method = getattr(cls, name)
    if not callable(method):
        return [f"`{name}` is {given(method)}, expected the method `{_SIGNATURES[name]}`."]
    if isinstance(inspect.getattr_static(cls, name), (staticmethod, classmethod)):
        return [f"{_line_of(method)}`{name}` must be a method of instances: `{_SIGNATURES[name]}`."]
    # What else `train` requires comes from the train job's arguments, which are unknown here.
    problem = _binding_problem(method, arguments, keywords, is_partial=name == "train")
    return [f"{_line_of(method)}`{name}` cannot be called as `{_SIGNATURES[name]}`: {problem}."] if problem else []


def _check_static(cls: type, name: str) -> List[str]:
    function = getattr(cls, name)
    if not isinstance(inspect.getattr_static(cls, name), (staticmethod, classmethod)):
        return [f"{_line_of(function)}`{name}` must be static: `{_SIGNATURES[name]}`."]
    problem = _binding_problem(function, (), {})
    return [f"{_line_of(function)}`{name}` must need no arguments: {problem}."] if problem else []


def _check_knob_config(cls: Type[BaseModel]) -> List[str]:
    where = _line_of(cls.get_knob_config)
    try:
        knob_config = cls.get_knob_config()
    except (Exception, SystemExit) as error:  # noqa: BLE001 (a template's own code may raise anything)
        path = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
        line = _line(_failing_line(error, path)) or where
        return [f"{line}`get_knob_config` raises {type(error).__name__}: {error}."]
    try:
        serialize_knob_config(knob_config)
    except (TypeError, ValueError) as error:
        return [f"{where}`get_knob_config` returns no knob config: {error}."]
    return _check_constructor(cls, list(knob_config))


def _check_constructor(cls: type, knob_names: List[str]) -> List[str]:
    constructor = inspect.getattr_static(cls, "__init__")
    problem = _binding_problem(constructor, (None,), dict.fromkeys(knob_names))
    if problem is None:
        return []
    return [f"{_line_of(constructor)}`__init__` must take one argument per knob, as `**knobs` does: {problem}."]


def _binding_problem(
    function: Callable[..., Any], arguments: Any, keywords: Dict[str, Any], is_partial: bool = False
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


def _line_of(function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return _line(code.co_firstlineno if code else None)
