"""`rafiki user`: for admins, but for one's own password and usage."""

from __future__ import annotations

from typing import Annotated

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.login import read_new_password, read_password
from rafiki.cli.options import Json, Server, Yes, complete_user_type, confirm, examples
from rafiki.cli.output import Columns, show_row, show_rows, time_of
from rafiki.cli.resolve import user_id

app = typer.Typer(help="Users: create, list, ban; passwords; how much each one keeps.", no_args_is_help=True)

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
        password = read_new_password(f"Password for {email}: ")
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


@app.command(
    epilog=examples(
        "rafiki user password",
        "rafiki user password ada@example.org",
        "printf 'old\\nnew\\n' | rafiki user password",
    )
)
def password(
    email: Annotated[str | None, typer.Argument(help="Whose, for admins. Default: your own.")] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Change your password, or as an admin give another user a new one. Tokens of whom it is end at once.

    The new password is taken from RAFIKI_NEW_PASSWORD, your current one, which your own needs, from RAFIKI_PASSWORD;
    else they are asked for or, without a terminal, read from lines of standard input, the current one first. The
    sign-in or token with which you change your own goes on.
    """
    with sign_in(server) as client:
        if email is None:
            current = read_password("RAFIKI_PASSWORD", "Your current password: ")
            user = client.change_password(current, read_new_password("Your new password: "))
        else:
            user = client.reset_password(email, read_new_password(f"New password for {email}: "))
    show_row(user, as_json, leave_out=["banned_date"])


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
