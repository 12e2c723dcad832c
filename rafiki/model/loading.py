"""From the bytes of a template's file to its class. Which rules the class must keep is in `rules.py`."""

from __future__ import annotations

import hashlib
import linecache
import sys
import threading
from types import ModuleType
from typing import Optional, Type

from rafiki.errors import InvalidModelClassError
from rafiki.model.base import BaseModel
from rafiki.model.places import MODULE_PREFIX, class_lines, failing_line, place

_loading = threading.RLock()


def load_model_class(model_file_bytes: bytes, model_class: str, file_path: Optional[str] = None) -> Type[BaseModel]:
    """The class of this name that a template's file defines.

    The file becomes a module that is named by its content: two templates of one name do not meet, what one pickles of
    its own classes another process with the same file can unpickle, and loading it twice gives the same class. Its
    lines show in tracebacks under `file_path` (default: a name made from the class's).

    InvalidModelClassError says in a sentence, with the line where it is known, that the file does not parse or fails
    as it is imported (then the exception is its `__cause__`), or that it has no such class or one that is no
    `BaseModel`, and what right looks like.
    """
    name = MODULE_PREFIX + hashlib.sha256(model_file_bytes).hexdigest()[:16]
    with _loading:
        module = sys.modules.get(name)
        if module is None:
            module = _load_module(model_file_bytes, name, file_path or f"{name}/{model_class}.py")
    cls = getattr(module, model_class, None)
    path = str(module.__file__)
    if cls is None:
        found = ", ".join(class_lines(path))
        right = f"name one that it has ({found})" if found else f"write `class {model_class}(BaseModel):`"
        raise InvalidModelClassError(f"{place(path)}the file has no class {model_class}; {right}.")
    if not isinstance(cls, type) or not issubclass(cls, BaseModel) or cls is BaseModel:
        raise InvalidModelClassError(
            f"{place(path, class_lines(path).get(model_class))}{model_class} is no subclass of BaseModel; write "
            f"`class {model_class}(BaseModel):`, with `from rafiki.model import BaseModel`."
        )
    return cls


def _load_module(source: bytes, name: str, path: str) -> ModuleType:
    text = _decode(source, path)
    try:
        code = compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = (error.text or "").strip()
        python = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        raise InvalidModelClassError(
            f"{place(path, error.lineno)}the file does not parse as {python}: {error.msg}{line and f', at `{line}`'}."
        ) from error
    # Nesting beyond the parser's limit.
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidModelClassError(f"{place(path)}the file is no Python source: {error}.") from error
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
            f"{place(path, failing_line(error, path))}the file cannot be imported: {type(error).__name__}: {error}; "
            f"{_right_at_import(error)}."
        ) from error
    return module


def _decode(source: bytes, path: str) -> str:
    from importlib.util import decode_source

    nul_at = source.find(b"\0")
    if nul_at >= 0:
        line = source.count(b"\n", 0, nul_at) + 1
        raise InvalidModelClassError(f"{place(path, line)}a NUL character; the file must be plain Python source.")
    try:
        return decode_source(source)
    except (SyntaxError, ValueError) as error:
        line_of_fault = next((i for i, line in enumerate(source.split(b"\n"), 1) if not _is_utf8(line)), None)
        if line_of_fault is None:  # in an encoding that it names, and that there is not
            raise InvalidModelClassError(f"{place(path, 1)}the file is no Python source: {error}.") from error
        raise InvalidModelClassError(
            f"{place(path, line_of_fault)}the file is not in UTF-8; save it so, or name its encoding in the first "
            "line, such as `# -*- coding: latin-1 -*-`."
        ) from error


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _right_at_import(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return 'put what is a program of its own under `if __name__ == "__main__":`'
    if isinstance(error, ImportError) and "relative import" in str(error):
        return "a template is one file, of which nothing beside it is uploaded; put that code into it"
    return "what stands at its top level must run wherever its dependencies are installed"
