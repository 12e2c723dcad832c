"""Signing in, and users."""

from __future__ import annotations

from rafiki.client.connection import Connection, Row


class Users(Connection):
    def login(self, email: str, password: str) -> Row:
        """Signs in; `{'id', 'user_type'}` of the user. The sign-in lasts an hour."""
        answer = self._call("POST", "/tokens", body={"email": email, "password": password})
        self._token = answer["token"]
        self._user = {"id": answer["user_id"], "user_type": answer["user_type"]}
        return dict(self._user)

    def get_current_user(self) -> Row | None:
        """`{'id', 'user_type'}` of who is signed in; None before sign-in."""
        return None if self._user is None else dict(self._user)

    def logout(self) -> None:
        """Forgets who is signed in."""
        self._token = None
        self._user = None

    def create_user(self, email: str, password: str, user_type: str) -> Row:
        """Creates a user of one of `rafiki.constants.UserType`. For admins."""
        body = {"email": email, "password": password, "user_type": user_type}
        answer: Row = self._call("POST", "/users", body=body)
        return answer

    def get_users(self) -> list[Row]:
        """All users. For admins."""
        answer: list[Row] = self._call("GET", "/users")
        return answer

    def ban_user(self, email: str) -> Row:
        """Bans a user: at once, and also for tokens already given out. For admins."""
        answer: Row = self._call("DELETE", "/users", body={"email": email})
        return answer
