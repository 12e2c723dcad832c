"""`rafiki login`, `logout`, `whoami`."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Annotated, Any

import typer

from rafiki.cli.connect import connect, sign_in
from rafiki.cli.options import Json, Server, examples
from rafiki.cli.output import print_json, say
from rafiki.cli.sign_ins import SignIns
from rafiki.client import Client, RafikiConnectionError
from rafiki.errors import InvalidRequestError

LOGIN_EXAMPLES = examples(
    "rafiki login --email ada@example.org",
    "rafiki login --email ada@example.org --server https://rafiki.example.org",
    "rafiki login --email ada@example.org --days 30 < password.txt",
)


def login(
    email: Annotated[str, typer.Option(envvar="RAFIKI_EMAIL", help="Who signs in.")],
    days: Annotated[
        float | None, typer.Option(min=0.01, help="Stay signed in for so many days, by a long-lived token.")
    ] = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """Sign in at a server; later commands go there, as who you are.

    The password is taken from RAFIKI_PASSWORD; else it is asked for or, without a terminal, read from standard
    input. A sign-in lasts an hour unless --days says more. It is kept in a file that only you can read.
    """
    client = connect(server)
    client.logout()  # whoever RAFIKI_TOKEN may say
    user = client.login(email, read_password("RAFIKI_PASSWORD", f"Password of {email}: "))
    if days is None:
        token, token_id = client.token, None
    else:
        created = client.create_token(f"rafiki login on {os.uname().nodename}", days)
        token, token_id = created["token"], created["id"]
    sign_ins = SignIns()
    sign_ins.remember(client.address, {"email": email, **user, "token": token, "token_id": token_id})
    if as_json:
        print_json({"server": client.address, "email": email, **user})
    say(f"Signed in at {client.address} as {email} ({user['user_type']}).", as_json)


def logout(server: Server = None, as_json: Json = False) -> None:
    """Forget who is signed in at a server; a token that `login --days` made is revoked."""
    client = connect(server)
    forgotten = SignIns().forget(client.address)
    if forgotten is not None and forgotten.get("token_id"):
        _revoke(client.address, forgotten)
    if as_json:
        print_json({"server": client.address, "email": forgotten["email"] if forgotten else None})
    elif forgotten is None:
        print(f"Nobody was signed in at {client.address}.")
    else:
        print(f"Signed out at {client.address}.")


def whoami(server: Server = None, as_json: Json = False) -> None:
    """Say who is signed in, and at which server."""
    client = sign_in(server)
    user = client.get_current_user() or {}
    kept = SignIns().of(client.address)
    email = kept["email"] if kept and kept["id"] == user["id"] else None
    if as_json:
        print_json({"server": client.address, "email": email, **user})
    say(f"{email or user['id']} ({user['user_type']}) at {client.address}", as_json)


def read_password(variable: str, prompt: str) -> str:
    """From the environment, the terminal, or a line of standard input."""
    password = os.environ.get(variable)
    if not password and sys.stdin.isatty():
        password = getpass.getpass(prompt)
    password = password or sys.stdin.readline().rstrip("\n")
    if not password:
        raise InvalidRequestError("there is no password", f"set {variable}, or write it to standard input")
    return password


def read_new_password(prompt: str) -> str:
    """As `read_password`, from RAFIKI_NEW_PASSWORD; at a terminal it is asked for twice."""
    is_asked_for = sys.stdin.isatty() and not os.environ.get("RAFIKI_NEW_PASSWORD")
    password = read_password("RAFIKI_NEW_PASSWORD", prompt)
    if is_asked_for and getpass.getpass("Again: ") != password:
        raise InvalidRequestError("the two passwords differ", "type the same one twice")
    return password


def _revoke(address: str, forgotten: dict[str, Any]) -> None:
    try:
        with Client(address, token=forgotten["token"]) as client:
            client.revoke_token(forgotten["token_id"])
    except RafikiConnectionError as error:
        say(f"The token is forgotten here, but could not be revoked there: {error}", to_stderr=True)
