"""Running uv, the installer: each run is a process of its own that ends with the server, or when it is given up."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rafiki.errors import EnvironmentBuildError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
#: What is kept of a run's messages.
_MAX_MESSAGES = 500

OnLine = Callable[[str], Awaitable[None]]


class InstallerFailed(Exception):  # noqa: N818 (an outcome, not a fault of ours)
    """It ended with an error; `messages` is all that it said."""

    def __init__(self, command: str, messages: str) -> None:
        super().__init__(f"{command} failed: {messages}")
        self.messages = messages


class Uv:
    """Runs uv with these environment variables. Must be used in the main thread, which its processes end with."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = dict(variables)

    async def run(
        self, *arguments: str | Path, text: str = "", on_line: OnLine | None = None, offline: bool = False
    ) -> str:
        """What it printed. `text` is its input, `on_line` gets its messages as they come.

        Raises `InstallerFailed`. A run that is cancelled is killed, and its children with it.
        """
        command = [_uv_path(), *map(str, arguments), *(["--offline"] if offline else [])]
        return await run_program(command, self.variables, text, on_line)


async def run_program(
    command: list[str], variables: Mapping[str, str], text: str = "", on_line: OnLine | None = None
) -> str:
    """As `Uv.run`, for any program."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if text else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",  # not where a project's own configuration may lie
            env=dict(variables),
            start_new_session=True,
            preexec_fn=_die_with_server(os.getpid()),
        )
    )
    try:
        process = await asyncio.shield(starting)
        output, messages = await _converse(process, text, on_line)
        exit_code = await process.wait()
    finally:
        # Also where the caller gave up while it was being started: its children would not be ended with it.
        process = await starting
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if exit_code != 0:
        if exit_code < 0:
            messages += f"\nerror: it was ended by signal {-exit_code}"
        raise InstallerFailed(" ".join(command[:3]), messages)
    return output.decode(errors="replace")


async def _converse(process: asyncio.subprocess.Process, text: str, on_line: OnLine | None) -> tuple[bytes, str]:
    """All that it printed, and its messages."""
    assert process.stdout is not None
    assert process.stderr is not None
    if process.stdin is not None:
        with suppress(ConnectionError, RuntimeError):  # it may end without having read its input; uvloop's own error
            process.stdin.write(text.encode())
            await process.stdin.drain()
        process.stdin.close()
    output, messages = await asyncio.gather(process.stdout.read(), _read_lines(process.stderr, on_line))
    return output, messages


def _die_with_server(server_pid: int) -> Callable[[], None]:
    def set_signal() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server_pid:
            os._exit(1)

    return set_signal


async def _read_lines(stream: asyncio.StreamReader, on_line: OnLine | None) -> str:
    lines: list[str] = []
    while True:
        try:
            line = (await stream.readline()).decode(errors="replace")
        except ValueError:  # longer than any that we wait for
            continue
        if not line:
            return "\n".join(lines)
        lines.append(line.rstrip())
        del lines[:-_MAX_MESSAGES]
        if on_line is not None:
            await on_line(line.strip())


def _uv_path() -> str:
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise EnvironmentBuildError("uv, the installer, is not there.", "pip install uv") from error
