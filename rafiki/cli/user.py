"""`rafiki user`: for admins, but for one's own usage."""

from __future__ import annotations

from typing import Annotated

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.login import read_password
from rafiki.cli.options import Json, Server, Yes, complete_user_type, confirm, examples
from rafiki.cli.output import Columns, show_row, show_rows, time_of
from rafiki.cli.resolve import user_id

app = typer.Typer(help="Users: create, list, ban; how much each one keeps.", no_args_is_help=True)

_COLUMNS: Columns = {"email": "email", "type": "user_type", "banned": time_of("banned_date"), "id": "id"}


@app.command("list", epilog=examples("rafiki user list"))
def list_users(server: Server = None, as_json: Json = False) -> None:
    """All users. For admins."""
    with sign_in(server) as client:
        show_rows(client.get_users(), _COLUMNS, as_json)


@app.command(
    epilog=examples(
        "rafiki user create ada@example.org --type MODEL_DEVELOPER",
        "echo secret | rafiki user create ada@example.org --type APP_DEVELOPER",
    )
)
def create(
    email: Annotated[str, typer.Argument(help="Any text with one @.")],
    user_type: Annotated[
        str,
        typer.Option("--type", help="ADMIN, MODEL_DEVELOPER or APP_DEVELOPER.", autocompletion=complete_user_type),
    ],
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Create a user. For admins.

    The password is taken from RAFIKI_NEW_PASSWORD; else it is asked for or, without a terminal, read from standard
    input.
    """
    with sign_in(server) as client:
        password = read_password("RAFIKI_NEW_PASSWORD", f"Password for {email}: ")
        user = client.create_user(email, password, user_type)
    show_row(user, as_json, leave_out=["banned_date"])


@app.command(epilog=examples("rafiki user ban eve@example.org"))
def ban(
    email: Annotated[str, typer.Argument(help="Whom.")],
    yes: Yes = False,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Ban a user: at once, also for tokens already given out. For admins."""
    with sign_in(server) as client:
        confirm(f"Banning {email}", yes)
        user = client.ban_user(email)
    show_row(user, as_json)


@app.command(epilog=examples("rafiki user usage", "rafiki user usage ada@example.org"))
def usage(
    user: Annotated[str | None, typer.Argument(help="An email or id, for admins. Default: yourself.")] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """How many bytes a user's datasets, models and trials take."""
    with sign_in(server) as client:
        used = client.get_usage(user_id(client, user) if user else None)
    show_row(used, as_json)
