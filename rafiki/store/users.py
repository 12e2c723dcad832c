"""Users and the tokens they are known by."""

from __future__ import annotations

import builtins
from datetime import datetime

from sqlalchemy import delete, insert, or_, select, update

from rafiki.entities import Token, User
from rafiki.errors import UserExistsError
from rafiki.store.database import Database, new_id, now
from rafiki.store.rows import SELECT_USER, AnySelect, to_token, to_user
from rafiki.store.schema import tokens, users


class Users:
    """E-mails are kept as given and compared without case. Users are never deleted, only banned."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, email: str, password_hash: str, user_type: str) -> User:
        """Raises `UserExistsError`."""
        user = User(new_id(), email, user_type)
        with self._db.write() as c:
            if c.execute(select(users.c.id).where(users.c.email_key == _key(email))).first():
                raise UserExistsError(f"there is already a user {email!r}; e-mails are compared without case")
            c.execute(
                insert(users).values(
                    id=user.id,
                    email=email,
                    email_key=_key(email),
                    password_hash=password_hash,
                    user_type=user_type,
                    datetime_created=now(),
                )
            )
        return user

    def get(self, user_id: str) -> User | None:
        with self._db.read() as c:
            row = c.execute(SELECT_USER.where(users.c.id == user_id)).first()
        return None if row is None else to_user(row)

    def by_email(self, email: str) -> tuple[User, str] | None:
        """The user and the password's hash."""
        query = SELECT_USER.add_columns(users.c.password_hash).where(users.c.email_key == _key(email))
        with self._db.read() as c:
            row = c.execute(query).first()
        if row is None:
            return None
        return User(row.id, row.email, row.user_type, row.banned_date), row.password_hash

    def list(self) -> builtins.list[User]:
        """All, in order of creation."""
        with self._db.read() as c:
            return [to_user(row) for row in c.execute(SELECT_USER.order_by(users.c.datetime_created, users.c.id))]

    def ban(self, user_id: str) -> User | None:
        """The user, banned from now on, tokens included; None where there is none or he was banned already."""
        with self._db.write() as c:
            ban = update(users).where(users.c.id == user_id, users.c.banned_date.is_(None))
            if c.execute(ban.values(banned_date=now())).rowcount == 0:
                return None
            return to_user(c.execute(SELECT_USER.where(users.c.id == user_id)).one())

    def set_password(self, user_id: str, password_hash: str, kept_token_hash: str | None = None) -> None:
        """And end all tokens of the user, but for that one: whoever knew the old password may have made them."""
        with self._db.write() as c:
            c.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))
            others = update(tokens).where(tokens.c.user_id == user_id, tokens.c.datetime_revoked.is_(None))
            if kept_token_hash is not None:
                others = others.where(tokens.c.token_hash != kept_token_hash)
            c.execute(others.values(datetime_revoked=now()))

    def add_token(self, user_id: str, token_hash: str, expires_at: datetime | None, name: str | None = None) -> str:
        """Know the user by this token until then (None: until it is revoked). Drops his expired ones.

        One with a name is for scripts. Returns its id.
        """
        token_id, created = new_id(), now()
        with self._db.write() as c:
            c.execute(delete(tokens).where(tokens.c.user_id == user_id, tokens.c.expires_at <= created))
            c.execute(
                insert(tokens).values(
                    id=token_id,
                    token_hash=token_hash,
                    user_id=user_id,
                    name=name,
                    expires_at=expires_at,
                    datetime_created=created,
                )
            )
        return token_id

    def list_tokens(self, user_id: str) -> builtins.list[Token]:
        """His named ones that are not revoked, in order of creation."""
        with self._db.read() as c:
            rows = c.execute(_select_tokens(user_id).order_by(tokens.c.datetime_created, tokens.c.id))
            return [to_token(row) for row in rows]

    def revoke_token(self, user_id: str, token_id: str) -> Token | None:
        """A named token of his, which from now on nobody is known by; None where he has none of that id."""
        with self._db.write() as c:
            row = c.execute(_select_tokens(user_id).where(tokens.c.id == token_id)).first()
            if row is None:
                return None
            c.execute(update(tokens).where(tokens.c.id == token_id).values(datetime_revoked=now()))
        return to_token(row)

    def user_of_token(self, token_hash: str, now: datetime) -> User | None:
        """Whose token it is; None for one that is unknown, expired, revoked, or of a banned user."""
        query = (
            SELECT_USER.join_from(tokens, users, users.c.id == tokens.c.user_id)
            .where(tokens.c.token_hash == token_hash, tokens.c.datetime_revoked.is_(None))
            .where(or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now), users.c.banned_date.is_(None))
        )
        with self._db.read() as c:
            row = c.execute(query).first()
        return None if row is None else to_user(row)


def _select_tokens(user_id: str) -> AnySelect:
    columns = tokens.c["id", "user_id", "name", "expires_at", "datetime_created"]
    return select(*columns).where(
        tokens.c.user_id == user_id, tokens.c.name.is_not(None), tokens.c.datetime_revoked.is_(None)
    )


def _key(email: str) -> str:
    return email.casefold()
