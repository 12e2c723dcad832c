"""What the parts of pages that are generated from the code share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class GeneratedPage(SphinxDirective):
    """A directive that stands for what `text` returns, in the page's own language; headings are its sections."""

    has_content = False

    def text(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(self.text(), allow_section_headings=True)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; columns of which no cell has anything are left out. '' where there are no rows."""
    cells = [list(row) for row in rows]
    kept = [i for i in range(len(titles)) if any(row[i] for row in cells)]
    if not kept:
        return ""
    lines = [[titles[i] for i in kept], ["---"] * len(kept), *([_cell(row[i]) for i in kept] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def code(text: str) -> str:
    return f"`{text}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
