"""Signing in, and users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from rafiki.constants import UserType
from rafiki.entities import Token, Usage, User
from rafiki.errors import InvalidTokenError, InvalidUserError, UnauthorizedError, UserAlreadyBannedError
from rafiki.server.access import (
    Caller,
    Named,
    check_may_ban,
    check_may_create,
    check_may_reset_password,
    guarded_router,
)
from rafiki.server.answers import LongLivedTokenAnswer, NewLongLivedTokenAnswer, TokenAnswer, UsageAnswer, UserAnswer
from rafiki.server.auth import bearer_token, hash_token, new_token
from rafiki.server.bodies import NewLongLivedToken, NewUser, PasswordChange, PasswordReset, SignIn, UserToBan
from rafiki.server.context import Context, Ctx
from rafiki.server.data_folder import SUPERADMIN_PASSWORD

router = guarded_router("users")

_USER_TYPES = (UserType.SUPERADMIN, UserType.ADMIN, UserType.MODEL_DEVELOPER, UserType.APP_DEVELOPER)
_MAX_EMAIL_LENGTH = 254


@router.post("/tokens", response_model=TokenAnswer)
async def create_token(body: SignIn, context: Ctx) -> Any:
    """Sign in."""
    found = await run_in_threadpool(context.store.users.by_email, body.email)
    user, password_hash = found or (None, None)
    is_right = await context.passwords.verify(password_hash, body.password)
    if user is None or not is_right:
        raise InvalidUserError("no user has this email and password", status=401)
    if user.banned_date is not None:
        raise UnauthorizedError(f"{user.email} is banned", "an admin can tell you why", status=403)
    token = new_token()
    expires_at = datetime.now(UTC) + timedelta(seconds=context.settings.token_lifetime_s)
    await run_in_threadpool(context.store.users.add_token, user.id, hash_token(token), expires_at)
    return {"user_id": user.id, "user_type": user.user_type, "token": token}


@router.post("/tokens/long_lived", response_model=NewLongLivedTokenAnswer)
def create_long_lived_token(body: NewLongLivedToken, caller: Caller, context: Ctx) -> Any:
    """A token for scripts, which lasts until it expires or is revoked. This answer alone holds it."""
    token, now = new_token(), datetime.now(UTC)
    expires_at = None if body.expires_in_days is None else now + timedelta(days=body.expires_in_days)
    token_id = context.store.users.add_token(caller.id, hash_token(token), expires_at, body.name)
    return {"id": token_id, "name": body.name, "token": token, "expires_at": expires_at, "datetime_created": now}


@router.get("/tokens", response_model=list[LongLivedTokenAnswer])
def list_long_lived_tokens(caller: Caller, context: Ctx) -> list[Token]:
    """Your long-lived tokens that are not revoked."""
    return context.store.users.list_tokens(caller.id)


@router.delete("/tokens/{token_id}", response_model=LongLivedTokenAnswer)
def revoke_long_lived_token(token_id: str, caller: Caller, context: Ctx) -> Token:
    """End a long-lived token of yours, at once."""
    token = context.store.users.revoke_token(caller.id, token_id)
    if token is None:
        raise InvalidTokenError(f"you have no long-lived token {token_id!r}")
    return token


@router.get("/users/me", response_model=UserAnswer)
def get_me(caller: Caller) -> User:
    """Who you are."""
    return caller


@router.put("/users/me/password", response_model=UserAnswer)
async def change_password(body: PasswordChange, request: Request, caller: Caller, context: Ctx) -> User:
    """Change your password. All tokens of yours end at once, but for the one that this call is made with."""
    found = await run_in_threadpool(context.store.users.by_email, caller.email)
    if found is None or not await context.passwords.verify(found[1], body.current_password):
        raise InvalidUserError("the current password is another", status=403)
    password_hash = await _hash_of_new(body.password, context)
    token = bearer_token(request.headers.get("authorization")) or ""
    await run_in_threadpool(context.store.users.set_password, caller.id, password_hash, hash_token(token))
    if caller.user_type == UserType.SUPERADMIN:
        (context.settings.data_dir / SUPERADMIN_PASSWORD).unlink(missing_ok=True)  # it is of no use any more
    return caller


@router.put("/users/password", response_model=UserAnswer)
async def reset_password(body: PasswordReset, caller: Caller, context: Ctx) -> User:
    """Give a user a new password, and end all tokens of theirs. Admins' are reset by the superadmin alone."""
    found = await run_in_threadpool(context.store.users.by_email, body.email)
    if found is None:
        raise InvalidUserError(f"there is no user {body.email!r:.300}", status=404)
    check_may_reset_password(caller, found[0])
    await run_in_threadpool(context.store.users.set_password, found[0].id, await _hash_of_new(body.password, context))
    return found[0]


@router.get("/users/{user_id}/usage", response_model=UsageAnswer)
def get_usage(user_id: str, user: Annotated[User, Named], context: Ctx) -> Usage:
    """What a user takes of the disk: you (`me`), or for admins anybody."""
    return context.store.usage(user.id)


@router.post("/users", response_model=UserAnswer)
async def create_user(body: NewUser, caller: Caller, context: Ctx) -> User:
    """Create a user. An admin is created by the superadmin alone."""
    check_may_create(caller, body.user_type)
    if body.user_type not in _USER_TYPES:
        raise InvalidUserError(f"there is no user type {body.user_type!r:.100}", f"one of {', '.join(_USER_TYPES[1:])}")
    _check_email(body.email)
    password_hash = await _hash_of_new(body.password, context)
    return await run_in_threadpool(context.store.users.create, body.email, password_hash, body.user_type)


@router.get("/users", response_model=list[UserAnswer])
def list_users(context: Ctx) -> list[User]:
    """All users."""
    return context.store.users.list()


@router.delete("/users", response_model=UserAnswer)
def ban_user(body: UserToBan, caller: Caller, context: Ctx) -> User:
    """Ban a user: at once, and also for tokens already given out. An admin is banned by the superadmin alone."""
    found = context.store.users.by_email(body.email)
    if found is None:
        raise InvalidUserError(f"there is no user {body.email!r:.300}", status=404)
    check_may_ban(caller, found[0])
    banned = context.store.users.ban(found[0].id)
    if banned is None:
        raise UserAlreadyBannedError(f"{found[0].email} is banned already")
    return banned


async def _hash_of_new(password: str, context: Context) -> str:
    if not password:
        raise InvalidUserError("the password is empty")
    return await context.passwords.hash(password)


def _check_email(email: str) -> None:
    if not 1 <= len(email) <= _MAX_EMAIL_LENGTH or email.count("@") != 1 or "\0" in email:
        raise InvalidUserError(f"{email!r:.300} is no email", f"1 to {_MAX_EMAIL_LENGTH} characters with exactly one @")
