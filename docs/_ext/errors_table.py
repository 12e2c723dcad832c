"""`{errors-table}`: every error that a user can meet, from `rafiki.errors`."""

from __future__ import annotations

from collections.abc import Iterator

from generated import GeneratedPage, code, table
from sphinx.application import Sphinx

from rafiki import errors


class ErrorsTable(GeneratedPage):
    def text(self) -> str:
        return table(["name", "status", "meaning"], _rows())


def _rows() -> Iterator[tuple[str, str, str]]:
    for name, found in vars(errors).items():
        if isinstance(found, type) and issubclass(found, errors.RafikiError) and found is not errors.RafikiError:
            yield code(name), str(found.status), found.__doc__ or ""


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("errors-table", ErrorsTable)
    return {"parallel_read_safe": True}
