"""`{settings-table}`: every setting of a server, from `rafiki.settings`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from generated import GeneratedPage, code, table
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

#: Of defaults that depend on the machine.
_COMPUTED = {
    "data_dir": "`rafiki` in the user's data folder (`~/.local/share`)",
    "cores": "all that are usable",
    "worker_memory_limit_bytes": "four fifths of the memory",
    "worker_n_processes": "1024, or 16 per core where that is more",
}
_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


class SettingsTable(GeneratedPage):
    def text(self) -> str:
        from rafiki.settings import Settings

        return table(["setting", "default", "meaning"], _rows(Settings.model_fields))


def _rows(fields: dict[str, FieldInfo]) -> Iterator[tuple[str, str, str]]:
    for name, field in fields.items():
        yield code(name), _default(name, field), (field.description or "") + _other_variable(field)


def _default(name: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        return _COMPUTED.get(name, "by the machine")
    value: Any = field.default
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return code(str(value).lower())
    if name.endswith("_bytes"):
        return next(f"{value // size} {unit}" for unit, size in _UNITS if value % size == 0)
    return code(re.sub(r"\.0$", "", str(value)))


def _other_variable(field: FieldInfo) -> str:
    if not isinstance(field.validation_alias, AliasChoices):
        return ""
    return f" (also from `{field.validation_alias.choices[-1]}`)"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("settings-table", SettingsTable)
    return {"parallel_read_safe": True}
