"""Docstrings are plain text: code in single backticks, lists of `- `, listings indented. This makes reStructuredText of
them, and signatures short.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
#: Signatures name these, not what they stand for.
_ALIASES = {
    "~typing.Dict[str, str | int | float | ~numpy.ndarray | bool | bytes | None]": "~rafiki.model.params.Params",
    "~typing.Dict[str, ~rafiki.model.knob.BaseKnob]": "~rafiki.model.knob.KnobConfig",
}
_ITEM = re.compile(r"\s*- ")


def to_restructured_text(lines: list[str]) -> list[str]:
    """The same lines, with code and listings as literals, and an empty line before every list."""
    made: list[str] = []
    is_listing = False
    for line in lines:
        before = made[-1] if made else ""
        if line and not line.startswith("    "):
            is_listing = False
        elif line and not before and made and not is_listing:
            is_listing = True
            made += ["::", ""]
        if _ITEM.match(line) and before and not _ITEM.match(before) and not before.startswith("  "):
            made.append("")
        made.append(line)
    text = "\n".join(made).replace("\\", "\\\\")
    text = re.sub(r"(?<![*`\w])\*\*?(?=\w)", lambda stars: stars[0].replace("*", "\\*"), text)
    return _CODE.sub(_literal, text).split("\n")


def _literal(match: re.Match[str]) -> str:
    return f"``{' '.join(match[1].split())}``".replace("\\\\", "\\").replace("\\*", "*")


def _process(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_restructured_text(lines)


def _shorten_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, arguments: str | None, answer: str | None
) -> tuple[str | None, str | None]:
    return _with_aliases(arguments), _with_aliases(answer)


def _with_aliases(signature: str | None) -> str | None:
    for content, alias in _ALIASES.items():
        signature = signature and signature.replace(content, alias)
    for written, meant in (("~typing.Dict[", "dict["), ("~typing.List[", "list["), ("<factory>", "...")):
        signature = signature and signature.replace(written, meant)
    return signature


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _shorten_signature)
    return {"parallel_read_safe": True}
