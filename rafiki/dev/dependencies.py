"""Whether what a template declares is what is installed here, and what it imports."""

from __future__ import annotations

import ast
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from rafiki.model.places import place
from rafiki.model.requirements import distributions_of, install_plan, normalized_name

#: What every model's environment has, by the names of the modules.
_ALWAYS_THERE = frozenset({"numpy", "PIL", "requests", "rafiki"})
#: How the tests begin of what a worker does not run.
_NOT_IN_A_WORKER = ("__name__ ==", "TYPE_CHECKING", "typing.TYPE_CHECKING")
#: What of Rafiki a template may import.
_OF_RAFIKI = frozenset({"model", "constants", "config"})


def dependency_warnings(dependencies: Mapping[str, str] | None) -> list[str]:
    """One sentence for each declared dependency that is missing here or of another version.

    ValueError or TypeError where `dependencies` is no dict of versions by name.
    """
    install_plan(dependencies)
    warnings = []
    for name, version in (dependencies or {}).items():
        declared, installed = f"{name} {version or ''}".rstrip(), _installed_version(name)
        if installed is None:
            warnings.append(
                f"{declared} is declared, but not installed here; install it to test with what is declared."
            )
        elif version and not f"{installed.partition('+')[0]}.".startswith(f"{version.partition('+')[0]}."):
            warnings.append(f"{declared} is declared, but {installed} is installed here; make the two agree.")
    return warnings


def _installed_version(name: str) -> str | None:
    if normalized_name(name) == "python":
        return platform.python_version()
    for distribution in distributions_of(name):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None


def import_advice(path: Path, dependencies: Mapping[str, str] | None) -> list[str]:
    """One sentence for each import of a template's file that its environment on the platform would not have, and for
    each dependency that it declares and imports nothing of."""
    lines: dict[str, int] = {}
    for module, line in _imports(ast.parse(path.read_bytes())):
        lines.setdefault(module, line)
    advice = []
    for module, line in lines.items():
        if module.startswith("rafiki.") and module.split(".")[1] not in _OF_RAFIKI:
            right = "of Rafiki, a template can import rafiki.model, rafiki.constants and rafiki.config"
            advice.append(f"{place(path.name, line)}`{module}` is not there on the platform; {right}.")
    foreign = {module: line for module, line in lines.items() if not _is_always_there(module)}
    if not foreign and not dependencies:
        return advice
    installed = _distributions_of_modules()
    advice += _undeclared(path, foreign, installed, dependencies or {})
    advice += _unused(path, foreign, installed, dependencies or {})
    return advice


def _is_always_there(module: str) -> bool:
    top = module.partition(".")[0]
    return top in _ALWAYS_THERE or top in sys.stdlib_module_names


def _distributions_of_modules() -> dict[str, set[str]]:
    """Normalised names of the installed distributions that have a module, by the module's name."""
    return {
        module: {normalized_name(distribution) for distribution in distributions}
        for module, distributions in metadata.packages_distributions().items()
    }


def _undeclared(
    path: Path, lines: Mapping[str, int], installed: Mapping[str, set[str]], dependencies: Mapping[str, str]
) -> Iterator[str]:
    declared = {distribution for name in dependencies for distribution in distributions_of(name)}
    # What comes with a dependency by Rafiki's own rule needs no declaration.
    declared |= {normalized_name(re.split(r"[^\w.-]", each)[0]) for each in install_plan(dependencies).requirements}
    for module, line in lines.items():
        distributions = installed.get(module, set())
        if declared & (distributions or {normalized_name(module)}):
            continue
        where = f"{place(path.name, line)}`{module}` is imported"
        if distributions:
            name = min(distributions)
            yield f"{where}, but not declared; add {{{name!r}: {metadata.version(name)!r}}} to `dependencies`."
        elif (path.parent / f"{module}.py").exists() or (path.parent / module).is_dir():
            yield f"{where} from beside the template, of which only the one file is uploaded; put its code there."
        else:
            yield f"{where}, but not declared; add the package that has it to `dependencies`, with its version."


def _unused(
    path: Path, lines: Mapping[str, int], installed: Mapping[str, set[str]], dependencies: Mapping[str, str]
) -> Iterator[str]:
    imported = {distribution for module in lines for distribution in installed.get(module, ())}
    importable = {distribution for distributions in installed.values() for distribution in distributions}
    for name in dependencies:
        distributions = set(distributions_of(name))
        if distributions & importable and not distributions & imported:
            yield f"{name} is declared, but {path.name} imports nothing of it; leave it out unless something needs it."


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """What a worker would import, with its line: of Rafiki `rafiki.<part>`, of all else the top-level module.

    Left out: what runs only when the file is a script, and what the file can do without.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _module(alias.name), node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in [f"rafiki.{alias.name}" for alias in node.names] if node.module == "rafiki" else [node.module]:
                yield _module(name), node.lineno
        elif isinstance(node, ast.If) and ast.unparse(node.test).startswith(_NOT_IN_A_WORKER):
            waiting += node.orelse
        elif not (isinstance(node, ast.Try) and any(map(_catches_import_errors, node.handlers))):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def _module(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "rafiki" else parts[0]


def _catches_import_errors(handler: ast.ExceptHandler) -> bool:
    caught = "" if handler.type is None else ast.unparse(handler.type)
    return not caught or any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))
