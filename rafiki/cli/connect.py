"""From a command's options and the environment to a client that is signed in."""

from __future__ import annotations

import os

from rafiki.cli.sign_ins import SignIns
from rafiki.client import Client
from rafiki.errors import InvalidRequestError, UnauthorizedError


def connect(server: str | None) -> Client:
    """A client of the server that is meant, as whoever `RAFIKI_TOKEN` says, or nobody yet."""
    if server is None and not (os.environ.get("RAFIKI_ADDR") or os.environ.get("ADMIN_EXT_PORT")):
        server = SignIns().last
    try:
        return Client(_url(server))
    except ValueError as error:
        raise InvalidRequestError(f"the server's address is {server!r}: {error}") from error


def sign_in(server: str | None = None) -> Client:
    """A client of the server that is meant, signed in as who the environment says, else as `rafiki login` did."""
    client = connect(server)
    if os.environ.get("RAFIKI_TOKEN") or sign_in_by_environment(client):
        return client
    kept = SignIns().of(client.address)
    if kept is None:
        raise UnauthorizedError(f"you are not signed in at {client.address}", "rafiki login --email EMAIL")
    return Client(client.address, token=kept["token"])


def sign_in_by_environment(client: Client) -> bool:
    """Signs in as `RAFIKI_EMAIL` and `RAFIKI_PASSWORD` say; False if they say nothing."""
    email, password = os.environ.get("RAFIKI_EMAIL"), os.environ.get("RAFIKI_PASSWORD")
    if not (email and password):
        return False
    client.login(email, password)
    return True


def _url(server: str | None) -> str | None:
    """`host:port` as a URL; a URL, and a host alone, as they are."""
    if server is None or "://" in server:
        return server
    host, colon, port = server.rpartition(":")
    is_with_port = colon and port.isdigit() and (":" not in host or host.endswith("]"))
    return f"http://{server}" if is_with_port else server
