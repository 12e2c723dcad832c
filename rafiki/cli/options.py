"""Options that many commands share, and how examples stand in their help."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rafiki.constants import TaskName, UserType
from rafiki.errors import InvalidRequestError

_TASKS = sorted(value for name, value in vars(TaskName).items() if not name.startswith("_"))
_USER_TYPES = (UserType.ADMIN, UserType.MODEL_DEVELOPER, UserType.APP_DEVELOPER)


def complete_task(incomplete: str) -> list[str]:
    return [task for task in _TASKS if task.startswith(incomplete.upper())]


def complete_user_type(incomplete: str) -> list[str]:
    return [user_type for user_type in _USER_TYPES if user_type.startswith(incomplete.upper())]


Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, and with nothing else.")]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="ADDRESS",
        help="Host, host:port or URL. Default: RAFIKI_ADDR and ADMIN_EXT_PORT, else where you signed in last, "
        "else localhost:3000.",
    ),
]
Task = Annotated[str | None, typer.Option(help="Only those of a task.", autocompletion=complete_task)]
AppVersion = Annotated[int, typer.Option("--version", metavar="N", help="Version of the app; -1 is the latest.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Budget = Annotated[
    list[str] | None,
    typer.Option("--budget", metavar="KEY=VALUE", help="Any other key of the budget; can be repeated."),
]

Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="KEY=VALUE",
        help="For admins: what each trial may use, trial_time_s or memory_bytes; can be repeated.",
    ),
]


def examples(*lines: str) -> str:
    """The examples at the end of a command's help."""
    return "\n\n".join(["Examples:" if len(lines) > 1 else "Example:", *lines])


def pairs(given: Sequence[str] | None, option: str) -> dict[str, Any]:
    """`KEY=VALUE`s as a dict; a value is JSON where it can be read as such, else text."""
    values = {}
    for one in given or ():
        key, equals, text = one.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{one!r} is not KEY=VALUE", param_hint=option)
        values[key] = _value(text)
    return values


def texts(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=TEXT`s as a dict."""
    return {key: one.partition("=")[2] for one in given or () for key in pairs([one], option)}


def confirm(what: str, yes: bool) -> None:
    """Goes on only if a person says so, or `--yes` has."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidRequestError(f"{what} cannot be undone", "add --yes if it is meant")
    typer.confirm(f"{what} cannot be undone. Do it?", abort=True, err=True)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
