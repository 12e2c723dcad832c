"""`client-methods`: the methods of `rafiki.client.Client`, by its sections, in the order of the source."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from generated import GeneratedPage
from sphinx.application import Sphinx


class ClientMethods(GeneratedPage):
    """Writes reStructuredText."""

    def text(self) -> str:
        return "\n".join(_sections())


def _sections() -> Iterator[str]:
    from rafiki.client import Client
    from rafiki.client.section import Section

    for section in Client.__mro__:
        if issubclass(section, Section) and section not in (Client, Section):
            title = (sys.modules[section.__module__].__doc__ or section.__name__).strip().rstrip(".")
            yield f"{title}\n{'-' * len(title)}\n"
            for name, value in vars(section).items():
                if not name.startswith("_") and callable(value):
                    yield f".. automethod:: rafiki.client.Client.{name}\n"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("client-methods", ClientMethods)
    return {"parallel_read_safe": True}
