"""One runner as the supervisor sees it: a process known by pid and start time, and its control connection."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from rafiki import control
from rafiki.entities import RunnerProcess
from rafiki.settings import Settings

logger = logging.getLogger("rafiki.supervisor")

MODULES = {"TRAIN": "rafiki.runner.tuning", "INFERENCE": "rafiki.runner.serving"}
#: A runner that has not said that it listens after so long is given up.
READY_TIME_LIMIT_S = 60.0
HELLO_TIME_LIMIT_S = 5.0
#: What a runner gets to end after it was told to.
STOP_GRACE_S = 5.0
_SECRET_VARIABLES = ("RAFIKI_SUPERADMIN_PASSWORD", "SUPERADMIN_PASSWORD")


class RunnerHandle:
    """A live runner. `exited` is done when its process has ended, however that came about."""

    def __init__(
        self, job_id: str, kind: str, epoch: int, pid: int, on_message: Callable[[str, control.Message], None]
    ):
        self.job_id = job_id
        self.kind = kind
        self.epoch = epoch
        self.pid = pid
        self._on_message = on_message
        self._seen_since = time.monotonic()
        self._pidfd = os.pidfd_open(pid)
        self._connection: control.Connection | None = None
        self.exited: asyncio.Task[None] = asyncio.create_task(self._wait(), name=f"exit of runner {pid}")
        self._reading: asyncio.Task[None] | None = None

    async def _wait(self) -> None:
        try:
            await control.wait_for_exit(self._pidfd)
        finally:
            os.close(self._pidfd)
        with suppress(ChildProcessError):  # an adopted runner is not our child
            os.waitpid(self.pid, 0)

    @property
    def age_s(self) -> float:
        """For how long this server has known it."""
        return time.monotonic() - self._seen_since

    async def connect(self, settings: Settings) -> None:
        """Raises `OSError` when nobody listens, or somebody who is not this job's runner of this epoch."""
        self._connection = await control.connect(control.control_path(settings.run_dir, self.job_id))
        hello = await asyncio.wait_for(self._connection.receive(), HELLO_TIME_LIMIT_S)
        if hello is None or hello.get("epoch") != self.epoch or hello.get("pid") != self.pid:
            raise OSError(f"the control socket of job {self.job_id} is not its runner's: {hello}")
        self._reading = asyncio.create_task(self._read(self._connection))

    async def _read(self, connection: control.Connection) -> None:
        while (message := await connection.receive()) is not None:
            self._on_message(self.job_id, message)

    def send(self, message: control.Message) -> None:
        if self._connection is not None:
            self._connection.send(message)

    async def end(self, message: control.Message) -> None:
        """Tell the runner to end (`stop` or `suspend`), and see that it does."""
        self.send(message)
        if self._connection is not None:
            await asyncio.wait({self.exited}, timeout=STOP_GRACE_S)
        if not self.exited.done():
            self.kill()
        await self.exited

    def kill(self) -> None:
        # Its workers die with it: their parent-death signal is set.
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def disconnect(self) -> None:
        """Let the runner go on without us (`--leave-running`)."""
        if self._connection is not None:
            self._connection.close()
        if self._reading is not None:
            self._reading.cancel()
        self.exited.cancel()


async def launch(settings: Settings, claimed: RunnerProcess) -> tuple[int, asyncio.Task[bool]]:
    """Start the runner of a claimed job in a session of its own.

    Returns its pid, and a task that tells whether it came to listen on its control socket.
    """
    ready_fd, child_fd = os.pipe()
    log_path = settings.logs_dir / f"{claimed.job_id}.log"
    arguments = ["--job-id", claimed.job_id, "--epoch", str(claimed.epoch), "--settings", settings.for_runner()]
    try:
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", MODULES[claimed.kind], *arguments, "--ready-fd", str(child_fd)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[child_fd],
                cwd=settings.data_dir,
                env={name: value for name, value in os.environ.items() if name not in _SECRET_VARIABLES},
                start_new_session=True,
            )
    except BaseException:
        os.close(ready_fd)
        raise
    finally:
        os.close(child_fd)
    # `RunnerHandle` waits for the process: Popen must not, nor complain that nobody did.
    process.returncode = 0
    return process.pid, asyncio.create_task(_wait_until_ready(ready_fd))


async def _wait_until_ready(ready_fd: int) -> bool:
    """True when the runner wrote its byte; False at its end of file, or after the time limit."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()

    def on_readable() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(ready_fd, on_readable)
    try:
        await asyncio.wait_for(readable, READY_TIME_LIMIT_S)
        return os.read(ready_fd, 1) == b"1"
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(ready_fd)
        os.close(ready_fd)
