"""Real servers and their users, for tests through the real interfaces."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server_process import ServerProcess, Until, Work


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests of a module that do not stop it; nothing of it may be left at the end."""
    one = ServerProcess(tmp_path_factory.mktemp("data"))
    one.start()
    yield one
    assert one.stop() == 0
    assert one.processes() == {}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that the test may stop and kill; whatever is left of it is killed at the end."""
    one = ServerProcess(tmp_path / "data")
    one.start()
    yield one
    if one.process is not None and one.process.poll() is None:
        one.stop()
    for pid in one.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def developer(server: ServerProcess, tmp_path: Path, request: pytest.FixtureRequest) -> Work:
    """A model developer of this test alone."""
    return Work(server.user("MODEL_DEVELOPER", f"{request.node.name}@example.org"), tmp_path)


@pytest.fixture
def until() -> Until:
    """Ask again and again, as a user would, until the answer is true."""

    def wait(question: Callable[[], Any], limit_s: float = 60.0) -> Any:
        deadline = time.monotonic() + limit_s
        while not (answer := question()):
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.05)
        return answer

    return wait
