"""Signing in, tokens, and users."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rafiki.client.connection import Connection
from rafiki.client.section import Section
from rafiki.client.steps import Call, Row, Step, part


class Users(Section):
    def login(self, email: str, password: str) -> Row:
        """Signs in; `{'id', 'user_type'}` of the user.

        The sign-in lasts an hour, and is renewed with the same password before it ends.
        """
        return self._run(self._sign_in_as(email, password))

    def get_current_user(self) -> Row | None:
        """`{'id', 'user_type'}` of who is signed in; None before sign-in."""
        return self._run(_current_user(self))

    def logout(self) -> None:
        """Forgets who is signed in, and the password."""
        return self._run(_forget(self))

    def create_user(self, email: str, password: str, user_type: str) -> Row:
        """Creates a user of one of `rafiki.constants.UserType`. For admins."""
        body = {"email": email, "password": password, "user_type": user_type}
        return self._run(Call[Row]("POST", "/users", body=body))

    def get_users(self) -> list[Row]:
        """All users. For admins."""
        return self._run(Call[list[Row]]("GET", "/users"))

    def ban_user(self, email: str) -> Row:
        """Bans a user: at once, and also for tokens already given out. For admins."""
        return self._run(Call[Row]("DELETE", "/users", body={"email": email}))

    def change_password(self, current_password: str, new_password: str) -> Row:
        """Changes one's own password. All one's tokens end at once, but for the one in use here."""
        return self._run(_change_password(self, current_password, new_password))

    def reset_password(self, email: str, new_password: str) -> Row:
        """Gives another user a new password, and ends all tokens of theirs. For admins."""
        body = {"email": email, "password": new_password}
        return self._run(Call[Row]("PUT", "/users/password", body=body))

    def get_usage(self, user_id: str | None = None) -> Row:
        """The bytes that a user's datasets, models and trials take: one's own (also None), or anyone's for admins."""
        return self._run(Call[Row]("GET", f"/users/{part(user_id or 'me')}/usage"))

    def create_token(self, name: str, expires_in_days: float | None = None) -> Row:
        """A long-lived token for scripts: `Client(token=...)` and `RAFIKI_TOKEN` take it.

        Only this answer holds the token itself. Without `expires_in_days` it lasts until it is revoked.
        """
        body = {"name": name, "expires_in_days": expires_in_days}
        return self._run(Call[Row]("POST", "/tokens/long_lived", body=body))

    def get_tokens(self) -> list[Row]:
        """One's long-lived tokens, without the secrets."""
        return self._run(Call[list[Row]]("GET", "/tokens"))

    def revoke_token(self, token_id: str) -> Row:
        """Ends a long-lived token of one's own, at once."""
        return self._run(Call[Row]("DELETE", f"/tokens/{part(token_id)}"))


def _current_user(connection: Connection) -> Generator[Step, Any, Row | None]:
    sign_in = connection._sign_in
    if sign_in is None:
        return None
    if sign_in.user is None:  # a token says nothing of whose it is
        user = yield from Call[Row]("GET", "/users/me")
        sign_in.user = {"id": user["id"], "user_type": user["user_type"]}
    return dict(sign_in.user)


def _change_password(connection: Connection, current: str, new: str) -> Generator[Step, Any, Row]:
    body = {"current_password": current, "password": new}
    user = yield from Call[Row]("PUT", "/users/me/password", body=body)
    if connection._sign_in is not None and connection._sign_in.password is not None:
        connection._sign_in.password = new  # by which the sign-in is renewed
    return user


def _forget(connection: Connection) -> Generator[Step, Any, None]:
    connection._sign_in = None
    yield from ()
