"""What a method of the client does, without saying how: the same for `Client` and `AsyncClient`.

A method makes a `Call`, or a generator that yields calls and pauses, is sent the calls' answers and returns the
method's. `rafiki.client.connection` turns calls into requests, `rafiki.client.transport` carries those out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Row = dict[str, Any]
#: Called with how many bytes have gone over the wire, and how many there are in all.
ByteProgress = Callable[[int, int], None]


class Retry(Enum):
    """When a call that failed is made again, a few times."""

    NEVER = auto()
    UNSENT = auto()  # nobody was there: nothing can have happened yet
    ALWAYS = auto()  # to make it twice is to make it once: also when the connection broke, or the server was busy


@dataclass(frozen=True)
class Upload:
    """A file that goes out as a part of a form. It is opened anew for each attempt, and never held in memory."""

    field: str
    path: Path
    file_name: str
    progress: ByteProgress | None = None


@dataclass(frozen=True)
class Download:
    """Where the bytes of an answer go."""

    path: Path
    progress: ByteProgress | None = None


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call of the HTTP API whose answer is a `T`: the decoded JSON, or the bytes of an octet-stream.

    Values that are None are left out of `params`, `body` and `form`.
    """

    method: str
    path: str
    params: Row | None = None
    body: Row | None = None
    form: Row | None = None
    upload: Upload | None = None
    download: Download | None = None
    base: str | None = None  # another address than the server's: a predictor's
    is_signed: bool = True  # it goes out with the token of who is signed in
    retry: Retry | None = None  # None: by the method
    answer_limit_s: float = 600.0  # an answer may take as long as the check of an upload of many gigabytes

    def __iter__(self) -> Generator[Step, Any, T]:
        """`yield from` a call is its answer."""
        answer: T = yield self
        return answer


@dataclass(frozen=True)
class Pause:
    seconds: float


Step: TypeAlias = Call[Any] | Pause


class Steps(Protocol[T_co]):
    """A call, or a generator of calls and pauses, that comes to a `T`."""

    def __iter__(self) -> Generator[Step, Any, T_co]: ...


def part(text: object) -> str:
    """One segment of a path: an app's name may hold any character."""
    return quote(str(text), safe="")
