"""Everything that the API can do, the client can; everything that the client can do, the command line can."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import rafiki.cli
from rafiki.cli.main import app
from rafiki.client import Client
from rafiki.client.steps import Call

CLI = Path(rafiki.cli.__file__).parent
#: What needs a Python program: the class of a template.
FOR_PROGRAMS = {"load_trial_model"}
#: The description of the API itself.
FOR_BROWSERS = {("GET", "/openapi.json")}


def commands(group: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def methods() -> set[str]:
    return {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}


def test_each_method_of_the_client_is_used_by_a_command():
    used = {
        node.attr
        for path in CLI.glob("*.py")
        if not path.name.startswith("demo")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert methods() - used - FOR_PROGRAMS - {"close"} == set()


def path_of(node: ast.expr) -> str:
    """A call's path, with {} for what varies."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def test_each_route_of_the_api_is_asked_by_the_client():
    from rafiki.server.access import RULES

    asked = set()
    for path in (CLI.parent / "client").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            is_call = isinstance(node, ast.Call) and len(node.args) >= 2
            if is_call and ast.unparse(node.func).partition("[")[0] == Call.__name__:
                asked.add((ast.literal_eval(node.args[0]), path_of(node.args[1])))
    routes = {(method, re.sub(r"\{.*?\}", "{}", path)) for method, path in set(RULES) - FOR_BROWSERS}
    assert routes - asked == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_examples_and_json(name):
    command = COMMANDS[name]
    assert command.help and command.epilog
    examples = command.epilog.split("\n\n")[1:]
    assert examples and all(f"rafiki {name}" in example for example in examples)
    for parameter in command.params:
        assert parameter.name == "help" or getattr(parameter, "help", None), parameter.name
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options or name in ("serve", "demo")
    for option in re.findall(r"(?<= )--[\w-]+", command.epilog):
        assert option in options | {option for parameter in command.params for option in parameter.secondary_opts}


def test_no_module_is_long():
    assert max(len(path.read_text().splitlines()) for path in CLI.glob("*.py")) < 300
