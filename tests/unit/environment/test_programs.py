"""How installers are run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from rafiki.environment.uv import InstallerFailed, run_program


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.mark.parametrize("text", ["", "what it does not read"])
async def test_a_program_may_end_before_its_input_is_written(text: str) -> None:
    """With each of these the pipe may be closed before, while or after it is written to."""
    for _ in range(100):
        assert await run_program(("/bin/echo", "done"), {}, text, None) == "done\n"


async def test_what_is_given_is_read_and_a_failure_tells_its_messages() -> None:
    assert await run_program(("/bin/cat",), {}, "given " * 50_000, None) == "given " * 50_000
    with pytest.raises(InstallerFailed) as caught:
        await run_program(("/bin/sh", "-c", "echo why >&2; exit 3"), {}, "", None)
    assert caught.value.messages == "why"
