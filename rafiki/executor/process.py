"""A worker's process: how it is started, what it prints, how its end is seen."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rafiki.errors import EnvironmentBuildError
from rafiki.executor.abilities import has_own_process_counts
from rafiki.executor.allowance import Limits
from rafiki.executor.base import Process, ProcessEnd, WorkerSpec
from rafiki.executor.sandbox import View, confined
from rafiki.executor.usage import children
from rafiki.executor.variables import worker_variables
from rafiki.executor.view import python_paths

#: How much of a worker's last output is kept.
MAX_OUTPUT_BYTES = 64 << 10

#: How long a worker's keeper may take to end all of its processes.
_KEEPER_GRACE_S = 1.0
#: Before anything of ours, the kernel ends a worker when the machine is out of memory.
_OOM_SCORE = b"500"
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def signal_or_code(code: int) -> int:
    """What a parent's exit code says of the worker: -n where signal n ended it, else its exit code."""
    return 128 - code if 128 < code <= 128 + signal.SIGRTMAX else code


class WorkerProcess(Process):
    """A started process in a session of its own, and what it starts. `on_exit` is called in the event loop when it has
    ended, `on_output` with the number of bytes that it has printed.

    The process that we know is not the worker itself but its parent, which ends after all of the worker's processes:
    bubblewrap where it is confined (`is_confined`), else a keeper (`rafiki.worker.keeper`). It ends with the worker's
    exit code, or 128 + n where the worker was ended by signal n.

    Until `reap`, the ended process keeps its pid, so that no signal can reach a stranger.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        worker_socket: socket.socket,
        is_confined: bool,
        on_exit: Callable[[], None],
        on_output: Callable[[int], None],
    ) -> None:
        """Raises `EnvironmentBuildError` when the interpreter cannot be started."""
        self._is_confined = is_confined
        self._was_killed = False
        self._output_fd, output_fd = os.pipe()
        os.set_blocking(self._output_fd, False)
        try:
            self._popen = _popen(spec, worker_socket, output_fd, is_confined)
        except OSError as error:
            os.close(self._output_fd)
            message = f"The interpreter {spec.environment.python} cannot be started: {error.strerror}."
            raise EnvironmentBuildError(message) from error
        finally:
            os.close(output_fd)
        self.pid = self._popen.pid
        self._on_exit = on_exit
        self._on_output = on_output
        self._output = bytearray()
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._exited)
        self._loop.add_reader(self._output_fd, self._read_output)

    def kill(self) -> None:
        if self._popen.returncode is not None:
            return
        self._was_killed = True
        if not self._is_confined:
            for signal_no in (signal.SIGTERM, signal.SIGCONT):
                os.kill(self.pid, signal_no)
            self._loop.call_later(_KEEPER_GRACE_S, self._kill_group)
            return
        # The first process of a sandbox: the kernel ends all others with it, and bubblewrap waits for that.
        inits = children(self.pid)
        for pid in inits:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not inits:
            self._kill_group()

    def _kill_group(self) -> None:
        if self._popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> ProcessEnd:
        for _ in range(4):  # a pipe holds no more; a child that left its session may still be writing
            self._read_output()
        self._loop.remove_reader(self._output_fd)
        os.close(self._output_fd)
        code = self._popen.wait()
        code = signal_or_code(code)
        if self._was_killed and code == -signal.SIGTERM:  # a keeper that had not come so far as to be one
            code = -signal.SIGKILL
        return ProcessEnd(code, self._output.decode(errors="replace"))

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._kill_group()  # what is left of it where the keeper was killed
        self._on_exit()

    def _read_output(self) -> None:
        """Keep what the process has printed."""
        try:
            data = os.read(self._output_fd, MAX_OUTPUT_BYTES)
        except BlockingIOError:
            return
        self._output += data
        del self._output[:-MAX_OUTPUT_BYTES]
        if not data:
            self._loop.remove_reader(self._output_fd)
        self._on_output(len(data))


def _popen(
    spec: WorkerSpec, worker_socket: socket.socket, output_fd: int, is_confined: bool
) -> subprocess.Popen[bytes]:
    limits = spec.allowance.limits
    start = {
        "fd": worker_socket.fileno(),
        "parent_pid": 1 if is_confined else os.getpid(),
        "model_path": str(spec.model_path),
        "model_class": spec.model_class,
        "scratch_dir": str(spec.scratch_dir),
        "cache_dir": str(spec.cache_dir) if spec.cache_dir is not None else None,
        "is_confined": is_confined,
        "has_network": spec.allowance.has_network or not is_confined,
        "max_tasks": limits.n_tasks if is_confined and has_own_process_counts() else None,
    }
    command = [str(spec.environment.python), "-m", "rafiki.worker", json.dumps(start)]
    # `-m` puts the working directory first on the path: ours, whence the worker goes to its scratch folder.
    cwd = spec.environment.worker_part
    if is_confined:
        spec.environment.python.stat()  # bubblewrap would start, and then say that it is not there
        command = confined(command, _view(spec), cwd)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output_fd,
        stderr=output_fd,
        cwd=cwd,
        env={**worker_variables(spec, spec.gpus), "PATH": _search_path(spec)},
        pass_fds=(worker_socket.fileno(),),
        start_new_session=True,
        preexec_fn=_restraint(limits),
    )


def _restraint(limits: Limits) -> Callable[[], None]:
    """What the child does before it becomes another program. It takes no lock that a thread could hold at the fork."""
    runner_pid = os.getpid()

    def restrain() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != runner_pid:
            os._exit(1)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_NOFILE, limits.n_open_files)
        if limits.scratch_bytes is not None:
            _limit(resource.RLIMIT_FSIZE, limits.scratch_bytes)
        with suppress(OSError), open("/proc/self/oom_score_adj", "wb") as score:
            score.write(_OOM_SCORE)

    return restrain


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _view(spec: WorkerSpec) -> View:
    """What a confined worker has."""
    allowance = spec.allowance
    own = (*python_paths(spec.environment.python), spec.environment.worker_part, spec.model_path)
    return View(
        readable=(*own, *allowance.readable),
        writable=(spec.scratch_dir, *([spec.cache_dir] if spec.cache_dir is not None else [])),
        hidden=allowance.hidden,
        has_network=allowance.has_network,
        has_gpus=bool(spec.gpus),
        tmp_bytes=None if allowance.limits.memory_bytes is None else allowance.limits.memory_bytes // 2,
    )


def _search_path(spec: WorkerSpec) -> str:
    return os.pathsep.join([str(Path(spec.environment.python).parent), "/usr/local/bin", "/usr/bin", "/bin"])
