"""Sphinx's configuration: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from rafiki import __version__

project = "Rafiki"
copyright = "the authors of Rafiki"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "client_methods",
    "command_line",
    "docstrings",
    "errors_table",
    "http_reference",
    "settings_table",
]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True
add_module_names = False

# Links are checked (`-n`), but for the names of other people's packages, and of types that only signatures have:
# nothing may be fetched while building.
nitpick_ignore_regex = [
    (r"py:.*", r"(abc|asyncio|builtins|collections|datetime|enum|httpx|np|numpy|os|pathlib|tempfile|typing)\..*"),
    (r"py:.*", r"rafiki\.client\.trials\.Model"),
    (r"py:.*", r"(Any|TemporaryDirectory|bool|bytes|dict|float|int|list|None|object|optional|str|tuple|type|T|P)"),
]

html_theme = "furo"
html_title = "Rafiki"
html_static_path = ["_static"]
html_css_files = ["rafiki.css"]
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
