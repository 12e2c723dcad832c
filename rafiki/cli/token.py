"""`rafiki token`: long-lived tokens for scripts."""

from __future__ import annotations

from typing import Annotated

import typer

from rafiki.cli.connect import sign_in
from rafiki.cli.options import Json, Server, examples
from rafiki.cli.output import Columns, print_json, say, show_row, show_rows, time_of

app = typer.Typer(help="Long-lived tokens for scripts: create, list, revoke.", no_args_is_help=True)

_COLUMNS: Columns = {
    "name": "name",
    "created": time_of("datetime_created"),
    "expires": time_of("expires_at"),
    "id": "id",
}


@app.command(
    epilog=examples("rafiki token create nightly --days 90", "export RAFIKI_TOKEN=$(rafiki token create nightly)")
)
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    days: Annotated[float | None, typer.Option(help="Days until it expires. Default: never.")] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Make a token, and print it: it is shown only now. RAFIKI_TOKEN and Client(token=...) take it."""
    with sign_in(server) as client:
        token = client.create_token(name, days)
    if as_json:
        print_json(token)
    else:
        print(token["token"])
        say(f"Keep it. To revoke it: rafiki token revoke {token['id']}", to_stderr=True)


@app.command("list", epilog=examples("rafiki token list"))
def list_tokens(server: Server = None, as_json: Json = False) -> None:
    """Your tokens, without the secrets."""
    with sign_in(server) as client:
        show_rows(client.get_tokens(), _COLUMNS, as_json)


@app.command(epilog=examples("rafiki token revoke 0b9c1d9e-5c0e-4f7e-8a43-0d2f0c9f4b11"))
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As rafiki token list says.")],
    server: Server = None,
    as_json: Json = False,
) -> None:
    """End a token, at once."""
    with sign_in(server) as client:
        show_row(client.revoke_token(token_id), as_json)
