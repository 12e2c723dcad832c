"""Imports go down only: which part of the house may import which other, and which library belongs to which part."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rafiki"

NAMES = {"constants", "errors", "entities"}
ALLOWED = {
    "cli": {"client", "dev", "server", "settings", "environment", "starters", "gpus", "tasks"},
    "web": {"client"},
    "server": {
        "store", "settings", "environment", "executor", "tasks", "runner", "model", "control", "advisor",
        "worker.frames", "web", "gpus",
    },
    "runner": {
        "store", "settings", "advisor", "executor", "environment", "predictor", "tasks", "worker.frames", "model",
        "control",
    },
    "predictor": {"executor", "tasks", "worker.frames"},
    "executor": {"settings", "environment", "worker.frames", "worker.checker"},
    "environment": {"settings", "model"},
    "store": {"settings"},
    "dev": {"advisor", "worker", "tasks", "model"},
    "advisor": {"model"},
    "client": {"model"},
    "starters": {"client"},
    "worker": {"model", "tasks"},
    "tasks": {"model"},
    "model": {"dev"},  # the door: model/dev.py imports rafiki.dev inside its functions
    "control": set(),
    "settings": {"gpus"},
    "gpus": set(),
    "config": set(),
    "constants": set(),
    "errors": set(),
    "entities": set(),
    "__init__": set(),
}  # fmt: skip
LIGHT = ("constants.py", "errors.py", "entities.py", "config.py", "model", "tasks", "worker")
LIGHT_LIBRARIES = {"numpy", "PIL", "pandas"}  # pandas only where the contract returns a frame, when asked for
OWNERS = {
    "sqlalchemy": "store", "alembic": "store", "fastapi": "server", "starlette": "server", "nicegui": "web",
    "argon2": "server", "typer": "cli", "scipy": "advisor", "httpx": "client", "prometheus_client": "predictor",
    "pynvml": "gpus",
}  # fmt: skip
#: Libraries that a second part has a reason for: datasets by URL; containers; the mount.
ALSO = {("server", "httpx"), ("environment", "httpx"), ("web", "fastapi"), ("web", "starlette")}


#: Starter models are data: they run in their models' environments, and are never imported by us.
TEMPLATES = PACKAGE / "starters" / "templates"


def _sources(*places: str) -> list[Path]:
    found: list[Path] = []
    for place in places:
        path = PACKAGE / place
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in found if path.parent != TEMPLATES]


def _imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Each imported module, its line, and whether it stands at the top level."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            if node.module == "rafiki":
                for alias in node.names:
                    yield f"rafiki.{alias.name}", node.lineno, id(node) in top
            else:
                yield node.module or "", node.lineno, id(node) in top


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_part_has_a_rule() -> None:
    parts = {_part(path) for path in _sources(".")}
    assert parts <= set(ALLOWED)


@pytest.mark.parametrize("path", _sources("."), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    part = _part(path)
    wrong = []
    for module, line, _ in _imports(path):
        if not module.startswith("rafiki."):
            continue
        inner = module.removeprefix("rafiki.")
        target = inner.split(".")[0]
        ok = target in {part, *NAMES, "__version__"} or target in ALLOWED[part] or inner in ALLOWED[part]
        if not ok:
            wrong.append(f"{path}:{line}: {part} may not import {module}")
    assert not wrong, "\n".join(wrong)


def test_the_light_zone_needs_only_numpy_and_pillow() -> None:
    wrong = []
    for path in _sources(*LIGHT):
        for module, line, _ in _imports(path):
            library = module.split(".")[0]
            if library not in sys.stdlib_module_names | LIGHT_LIBRARIES | {"rafiki"}:
                wrong.append(f"{path}:{line}: {module}")
    assert not wrong, "\n".join(wrong)


def test_each_library_is_imported_by_its_owner_only() -> None:
    wrong = []
    for path in _sources("."):
        for module, line, _ in _imports(path):
            library, part = module.split(".")[0], _part(path)
            if library in OWNERS and part != OWNERS[library] and (part, library) not in ALSO:
                wrong.append(f"{path}:{line}: {part} imports {library}, which belongs to {OWNERS[library]}")
    assert not wrong, "\n".join(wrong)


def test_the_command_line_loads_what_the_client_does_not_need_lazily() -> None:
    wrong = [
        f"{path}:{line}: {module}"
        for path in _sources("cli")
        for module, line, is_top in _imports(path)
        if is_top and module.startswith(("rafiki.server", "rafiki.settings", "rafiki.environment", "rafiki.starters"))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_templates_door_to_dev_is_lazy() -> None:
    assert all(
        not (is_top and module.startswith("rafiki.dev"))
        for path in _sources("model")
        for module, _, is_top in _imports(path)
    )


@pytest.mark.parametrize("path", _sources(*LIGHT), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_light_zone_is_written_in_the_syntax_of_python_3_7(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 7))
