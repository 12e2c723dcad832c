"""`{command-line}`: every command of `rafiki`, as its own `--help` says, as sections of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from generated import GeneratedPage, code, table
from sphinx.application import Sphinx

#: Typer's commands are click's, from a copy of its own.
Command = Any

_OF_ALL = ("--help",)


class CommandLine(GeneratedPage):
    def text(self) -> str:
        from rafiki.cli.main import app

        return "\n".join(_sections(typer.main.get_command(app), ["rafiki"]))


def _sections(group: Command, names: list[str]) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        path = [*names, name]
        yield f"{'#' * len(path)} `{' '.join(path)}`\n"
        yield f"{_prose(command.help)}\n"
        if hasattr(command, "commands"):
            yield from _sections(command, path)
        else:
            yield from _command(command, path)


def _command(command: Command, path: list[str]) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.opts[0] not in _OF_ALL]
    usage = " ".join([*path, *(["[OPTIONS]"] if options else []), *map(_usage, arguments)])
    yield f"```text\n{usage}\n```\n"
    yield table(["argument", "meaning"], ((code(_metavar(one)), _meaning(one)) for one in arguments))
    yield table(["option", "meaning"], ((_option(one), _meaning(one)) for one in options))
    examples = [line for line in (command.epilog or "").split("\n\n") if line not in ("", "Example:", "Examples:")]
    if examples:
        yield "```text\n" + "\n".join(examples) + "\n```\n"


def _usage(argument: Command) -> str:
    return _metavar(argument) if argument.required else f"[{_metavar(argument)}]"


def _option(option: Command) -> str:
    names = ", ".join(code(name) for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {code(_metavar(option))}"


def _metavar(parameter: Command) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    name: str = parameter.name
    return name.upper()


def _meaning(parameter: Command) -> str:
    sentences = [_prose(parameter.help or "")]
    if parameter.required and parameter.param_type_name == "option":
        sentences.append("Required.")
    elif isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool):
        sentences.append(f"Default: {parameter.default}.")
    elif parameter.secondary_opts:
        sentences.append(f"Default: {code(parameter.opts[0] if parameter.default else parameter.secondary_opts[0])}.")
    return " ".join(filter(None, sentences))


def _prose(text: str) -> str:
    """Help is plain text: options, variables and such in it are code here."""
    return re.sub(r"(?<![\w`-])(--[a-z][\w-]*|[A-Z]{3,}_[A-Z_]+|@FILE|rafiki\.toml|KEY=VALUE)", r"`\1`", text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
