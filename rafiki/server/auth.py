"""Passwords and tokens.

A password is kept as an argon2id hash, a token as the SHA-256 of an opaque random string: whoever reads the database
can sign in with neither.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from starlette.concurrency import run_in_threadpool

#: OWASP's second choice for argon2id: 19 MiB, so that a burst of sign-ins stays small.
_MEMORY_KIB = 19 * 1024
_N_PASSES = 2
_MAX_PARALLEL = 2


class Passwords:
    """Hashes and verifies passwords, a bounded number at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_N_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._turns = asyncio.Semaphore(_MAX_PARALLEL)

    def hash_now(self, password: str) -> str:
        """As `hash`, in the calling thread."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await run_in_threadpool(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` is the one. For an unknown user (no hash) it takes as long, and is false."""
        async with self._turns:
            return await run_in_threadpool(self._verify, password_hash, password)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobodys_hash, password)
        except VerificationError:
            return False
        return password_hash is not None

    @cached_property
    def _nobodys_hash(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())


def new_token() -> str:
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def bearer_token(authorization: str | None) -> str | None:
    """The token of an `Authorization` header; `None` where the header is absent or of another scheme."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
