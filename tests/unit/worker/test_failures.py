"""From what a template raised to a name and a hint."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import NoReturn

import pytest

from rafiki.entities import FailureCode
from rafiki.worker.failures import failure_of, set_confined


@pytest.fixture
def confined() -> Iterator[None]:
    set_confined(True, has_network=False)
    yield
    set_confined(False, has_network=True)


def of(error: BaseException) -> tuple[str, str]:
    failure = failure_of(error)
    return failure.code, failure.hint


def wrapped(cause: Exception) -> Exception:
    """As libraries do."""
    try:
        try:
            raise cause
        except OSError:
            raise RuntimeError("the weights could not be had")  # noqa: B904 (many forget it)
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError("Unable to allocate 8 PiB"), FailureCode.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device"), FailureCode.DISK_FULL),
        (wrapped(OSError(errno.EFBIG, "File too large")), FailureCode.DISK_FULL),
        (RuntimeError("can't start new thread"), FailureCode.PROCESS_LIMIT),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), FailureCode.PROCESS_LIMIT),
        (FileNotFoundError(errno.ENOENT, "No such file", "/weights"), FailureCode.EXCEPTION),
        (socket.gaierror(-3, "Temporary failure in name resolution"), FailureCode.EXCEPTION),
    ],
)
def test_what_the_system_refused_has_its_own_name(error: Exception, code: str) -> None:
    assert failure_of(error).code == code


@pytest.mark.usefixtures("confined")
def test_what_fails_for_the_sandbox_says_which_setting_helps() -> None:
    for error in (
        socket.gaierror(-3, "Temporary failure in name resolution"),
        wrapped(OSError(errno.ENETUNREACH, "Network is unreachable")),
    ):
        code, hint = of(error)
        assert (code, "worker_allow_network" in hint) == (FailureCode.NETWORK_BLOCKED, True)
    code, hint = of(FileNotFoundError(errno.ENOENT, "No such file", "/weights"))
    assert (code, "worker_readable" in hint) == (FailureCode.EXCEPTION, True)
    code, hint = of(FileNotFoundError(errno.ENOENT, "No such file", "weights"))
    assert "worker_readable" not in hint
    assert of(ConnectionRefusedError(errno.ECONNREFUSED, ""))[0] == FailureCode.EXCEPTION


def test_causes_that_lead_in_a_circle_end() -> None:
    def circle() -> NoReturn:
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        raise first

    with pytest.raises(ValueError, match="a") as caught:
        circle()
    assert failure_of(caught.value).code == FailureCode.EXCEPTION
