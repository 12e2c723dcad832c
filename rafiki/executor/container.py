"""Workers in containers, each with a Unix socket to its runner."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from rafiki.environment.engine import ContainerEngine, EngineAbilities, EngineFailed, find_engine_socket
from rafiki.errors import EnvironmentBuildError
from rafiki.executor.base import Executor, Process, ProcessEnd, Worker, WorkerSpec
from rafiki.executor.container_config import SOCKET_NAME, container_config
from rafiki.executor.group import WorkerGroup
from rafiki.executor.process import MAX_OUTPUT_BYTES, signal_or_code
from rafiki.executor.scratch import remove_folder
from rafiki.executor.socket_worker import SocketWorker
from rafiki.executor.usage import oom_counter

logger = logging.getLogger("rafiki.executor")

#: How long an image's Python may take until it has loaded our part and connected.
_CONNECT_LIMIT_S = 60.0
_N_SHOWN_LINES = 20
_FOLDER_SUFFIX = "-container"
_NAME_FILE = "name"

IMAGE_HINT = (
    "An image of a model extends Rafiki's worker image (docker/worker.Dockerfile): its python3 is 3.8 or later, "
    "with numpy, Pillow and requests."
)


class ContainerExecutor(Executor):
    """`engine` is the setting `container_engine`; it is looked for when the first worker is started."""

    def __init__(self, engine: str | None = None) -> None:
        self._configured = engine
        self._engine: ContainerEngine | None = None
        self._abilities: EngineAbilities | None = None
        self._workers = WorkerGroup()
        self._containers: set[Container] = set()

    async def start(self, spec: WorkerSpec) -> Worker:
        try:
            engine, abilities = await self._connect()
            container = Container(engine, spec)
            self._containers.add(container)
            try:
                connection = await container.start(abilities)
                loop = asyncio.get_running_loop()
                _, worker = await loop.create_unix_connection(lambda: SocketWorker(spec), sock=connection)
            except BaseException:
                await asyncio.shield(container.remove())
                self._containers.discard(container)
                raise
        except EngineFailed as failed:
            raise _not_started(spec, failed) from failed
        worker.begin(container)
        container.watch(worker.process_ended, worker.count_output)
        container.removed.add_done_callback(lambda _: self._containers.discard(container))
        self._workers.add(worker)
        return worker

    async def _connect(self) -> tuple[ContainerEngine, EngineAbilities]:
        if self._engine is None:
            self._engine = ContainerEngine(find_engine_socket(self._configured))
        if self._abilities is None:
            self._abilities = await self._engine.abilities()
        return self._engine, self._abilities

    async def close(self) -> None:
        await self._workers.close()
        await asyncio.gather(*(container.removed for container in self._containers), return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()


def _not_started(spec: WorkerSpec, failed: EngineFailed) -> EnvironmentBuildError:
    image = spec.environment.image
    if failed.status == 404:
        hint = "Pull or load it on the server's machine again, or upload the model again."
        return EnvironmentBuildError(f"The model's image {image} is not there any more: {failed}.", hint)
    return EnvironmentBuildError(f"A container of image {image} could not be started: {failed}.", IMAGE_HINT)


class Container(Process):
    """A container, from its making to its removal, and the folder beside the worker's own in which its socket is.

    That folder also keeps its name, so that `remove_left_over` finds it when this process did not live to remove it.
    """

    def __init__(self, engine: ContainerEngine, spec: WorkerSpec) -> None:
        self._engine = engine
        self._spec = spec
        self._name = f"rafiki-{secrets.token_hex(8)}"
        self._folder = spec.scratch_dir.with_name(spec.scratch_dir.name + _FOLDER_SUFFIX)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self.removed: asyncio.Future[None] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pidfd = -1
        self._printing: socket.socket | None = None
        self._output = bytearray()
        self._end = ProcessEnd(-signal.SIGKILL, "")

    async def start(self, abilities: EngineAbilities) -> socket.socket:
        """The worker's connection. Raises `EngineFailed` or `EnvironmentBuildError`."""
        sockets = self._folder / "sockets"
        await asyncio.to_thread(remove_folder, self._folder)
        sockets.mkdir(parents=True, mode=0o700)
        (self._folder / _NAME_FILE).write_text(self._name)
        with _listening(sockets) as listener:
            await self._engine.create(self._name, container_config(self._spec, abilities, sockets))
            await self._engine.start(self._name)
            self.pid = (await self._engine.state(self._name)).pid
            self._follow(self.pid)
            self.oom_counter = oom_counter(self.pid) if abilities.can_limit_memory else None
            # No code of the template runs before both are made, and there is no third.
            connection = await self._accept(listener)
            try:
                self._printing = await self._accept(listener)
            except BaseException:
                connection.close()
                raise
        (sockets / SOCKET_NAME).unlink()
        return connection

    def _follow(self, pid: int) -> None:
        """Learn of its end at once."""
        with suppress(ProcessLookupError):
            if pid:
                self._pidfd = os.pidfd_open(pid)
                self._loop.add_reader(self._pidfd, self._process_ended)
                return
        self._process_ended()

    def _process_ended(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
        if not self._ended.done():
            self.is_over = True
            self._ended.set_result(None)

    async def _accept(self, listener: socket.socket) -> socket.socket:
        accepting = asyncio.create_task(self._loop.sock_accept(listener))
        either: set[asyncio.Future[Any]] = {accepting, self._ended}
        await asyncio.wait(either, timeout=_CONNECT_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        if accepting.done():
            return accepting.result()[0]
        accepting.cancel()
        said = (await self._engine.output(self._name, _N_SHOWN_LINES)).strip()
        if self._ended.done():
            message = f"The image {self._spec.environment.image} cannot run a worker."
        else:
            message = f"A worker in image {self._spec.environment.image} did not start in {_CONNECT_LIMIT_S:g} s."
        raise EnvironmentBuildError(message + (f" Its last output:\n{said}" if said else ""), IMAGE_HINT)

    def watch(self, on_exit: Callable[[], None], on_output: Callable[[int], None]) -> None:
        """`on_exit` is called in the event loop when it has ended, `on_output` with what it has printed, in bytes."""
        self._on_output = on_output
        assert self._printing is not None, "it has not been started"
        self._printing.setblocking(False)
        self._loop.add_reader(self._printing, self._read_output)
        self._do(self._settle(on_exit))

    async def _settle(self, on_exit: Callable[[], None]) -> None:
        await self._ended
        code, was_out_of_memory = -signal.SIGKILL, False
        try:
            await self._engine.wait(self._name)
            state = await self._engine.state(self._name)  # of a container that is gone, the wait itself says nothing
            code, was_out_of_memory = signal_or_code(state.exit_code), state.was_out_of_memory
        except EngineFailed as failed:
            logger.warning("how container %s ended is not known: %s", self._name, failed)
        assert self._printing is not None
        for _ in range(16):  # what a socket may hold
            self._read_output()
        self._loop.remove_reader(self._printing)
        self._printing.close()
        self._end = ProcessEnd(code, self._output.decode(errors="replace"), was_out_of_memory)
        on_exit()
        await self.remove()

    def _read_output(self) -> None:
        assert self._printing is not None
        try:
            data = self._printing.recv(MAX_OUTPUT_BYTES)
        except (BlockingIOError, ConnectionError):
            return
        self._output += data
        del self._output[:-MAX_OUTPUT_BYTES]
        if data:
            self._on_output(len(data))
        else:
            self._loop.remove_reader(self._printing)

    def kill(self) -> None:
        if self._ended.done():
            return
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # its first process: the kernel ends the others
        except PermissionError:  # it is another user's: the engine's
            self._do(self._kill_by_engine())
        except ProcessLookupError:
            pass

    async def _kill_by_engine(self) -> None:
        with suppress(EngineFailed):
            await self._engine.kill(self._name)

    def reap(self) -> ProcessEnd:
        return self._end

    async def remove(self) -> None:
        """End it, if it still runs, and leave nothing of it."""
        try:
            await self._engine.remove(self._name)
            await asyncio.to_thread(remove_folder, self._folder)
        except EngineFailed as failed:
            logger.warning("container %s could not be removed: %s", self._name, failed)
        finally:
            if self._pidfd >= 0:
                self._loop.remove_reader(self._pidfd)
                os.close(self._pidfd)
                self._pidfd = -1
            if not self.removed.done():
                self.removed.set_result(None)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _listening(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.setblocking(False)
        holding = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # by a path that fits a Unix socket's 107 bytes, however deep the folder is
            listener.bind(f"/proc/self/fd/{holding}/{SOCKET_NAME}")
        finally:
            os.close(holding)
        listener.listen(2)
    except BaseException:
        listener.close()
        raise
    return listener


async def remove_left_over(engine: str | None, folder: Path, pattern: str = "*") -> None:
    """End the containers of workers whose scratch folders are (or were) in this folder, and whose runner has died."""
    names = [path for path in folder.glob(f"{pattern}{_FOLDER_SUFFIX}/{_NAME_FILE}") if path.is_file()]
    if not names:
        return
    try:
        connection = ContainerEngine(find_engine_socket(engine))
    except EnvironmentBuildError as error:
        logger.warning("containers in %s are left over: %s", folder, error.message)
        return
    for path in names:
        try:
            await connection.remove(path.read_text())
            await asyncio.to_thread(remove_folder, path.parent)
        except EngineFailed as failed:
            logger.warning("container %s is left over: %s", path.read_text(), failed)
    await connection.close()
