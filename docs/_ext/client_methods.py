"""`client-methods`: the methods of `rafiki.client.Client` that one of its sections has, in the order of the source."""

from __future__ import annotations

from generated import GeneratedPage
from sphinx.application import Sphinx
from sphinx.util import import_object


class ClientMethods(GeneratedPage):
    required_arguments = 1

    def text(self) -> str:
        section = import_object(self.arguments[0])
        names = [name for name, value in vars(section).items() if not name.startswith("_") and callable(value)]
        return "\n".join(f".. automethod:: rafiki.client.Client.{name}\n" for name in names)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("client-methods", ClientMethods)
    return {"parallel_read_safe": True}
