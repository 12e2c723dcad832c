"""Where something stands in a template's file, as sentences about it begin: `MyModel.py, line 12: `."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from typing import Any, Dict, Optional

#: How the names of templates' modules begin.
MODULE_PREFIX = "rafiki_template_"


def place(path: str, line: Optional[int] = None) -> str:
    """The place in the file at `path`; only the file where the line is not known."""
    name = path.replace("\\", "/").rpartition("/")[2]
    return f"{name}: " if line is None else f"{name}, line {line}: "


def place_of_class(cls: type) -> str:
    """The place of a class; nothing for one that is not of a file."""
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None)
    return place(path, class_lines(path).get(cls.__name__)) if path else ""


def place_of(function: Any) -> str:
    """The place of a function; nothing for what is none that is written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return place(code.co_filename, code.co_firstlineno) if code else ""


def class_lines(path: str) -> Dict[str, int]:
    """Line of each class at the top of the file at `path`, which has been loaded, by name."""
    tree = ast.parse("".join(linecache.getlines(path)))
    return {node.name: node.lineno for node in tree.body if isinstance(node, ast.ClassDef)}


def failing_line(error: BaseException, path: str) -> Optional[int]:
    """The innermost line of the file at `path` on the way to where `error` was raised."""
    line = None
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == path:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
