"""What both kinds of runner start with: arguments, settings, the store behind one thread, the control socket."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from rafiki.control import Connection, ControlServer, Message, control_path
from rafiki.settings import Settings
from rafiki.store import Store

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("rafiki.runner")


@dataclass(frozen=True)
class RunnerArguments:
    """`--job-id ID --epoch N --settings JSON [--ready-fd FD]`, as the supervisor gives them."""

    job_id: str
    epoch: int
    settings: Settings
    ready_fd: int | None

    @staticmethod
    def parse(argv: list[str] | None = None) -> RunnerArguments:
        parser = argparse.ArgumentParser()
        parser.add_argument("--job-id", required=True)
        parser.add_argument("--epoch", required=True, type=int)
        parser.add_argument("--settings", required=True)
        parser.add_argument("--ready-fd", type=int)
        given = parser.parse_args(argv)
        return RunnerArguments(given.job_id, given.epoch, Settings.from_runner_json(given.settings), given.ready_fd)


@dataclass
class RunnerContext:
    """The runner's hold on the platform. Made by `start`; `close` when the runner ends.

    `stopping` is set by the server's `stop` or `suspend` (then `suspended` tells which), or when no server returned
    within `server_grace_s`. Hints arrive through `on_hint`, other messages through `on_message`.
    """

    arguments: RunnerArguments
    store: Store
    on_hint: Callable[[str], None] = lambda what: None
    on_message: Callable[[Message, Connection], None] = lambda message, connection: None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    suspended: bool = False
    _db: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "store"))
    _absence: asyncio.TimerHandle | None = None
    _control: ControlServer | None = None

    @property
    def settings(self) -> Settings:
        return self.arguments.settings

    @property
    def job_id(self) -> str:
        return self.arguments.job_id

    @property
    def epoch(self) -> int:
        return self.arguments.epoch

    async def start(self) -> None:
        """Listen for the server, and tell it (through the ready descriptor) that it can connect."""
        hello = {"job_id": self.job_id, "epoch": self.epoch}
        path = control_path(self.settings.run_dir, self.job_id)
        self._control = ControlServer(path, hello, self._receive, self._server_absent)
        await self._control.start()
        self._server_absent(True)
        if self.arguments.ready_fd is not None:
            os.write(self.arguments.ready_fd, b"1")
            os.close(self.arguments.ready_fd)

    async def db(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a store call in the one thread that does them, in order of calling."""
        return await asyncio.get_running_loop().run_in_executor(self._db, lambda: function(*args, **kwargs))

    def notify(self, message: Message) -> None:
        if self._control is not None:
            self._control.broadcast(message)

    def _receive(self, message: Message, connection: Connection) -> None:
        kind = message.get("type")
        if kind in ("stop", "suspend"):
            self.suspended = kind == "suspend"
            self.stopping.set()
        elif kind == "hint":
            self.on_hint(str(message.get("what")))
        else:
            self.on_message(message, connection)

    def _server_absent(self, absent: bool) -> None:
        if self._absence is not None:
            self._absence.cancel()
            self._absence = None
        if absent:
            grace_s = self.settings.server_grace_s
            self._absence = asyncio.get_running_loop().call_later(grace_s, self._give_up_on_server)

    def _give_up_on_server(self) -> None:
        logger.warning("no server for %.0f s: this runner settles and exits", self.settings.server_grace_s)
        self.suspended = True
        self.stopping.set()

    async def close(self) -> None:
        if self._absence is not None:
            self._absence.cancel()
        if self._control is not None:
            await self._control.close()
        await asyncio.to_thread(self._db.shutdown)
        self.store.close()
