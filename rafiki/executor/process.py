"""A worker's process: how it is started, what it prints, how its end is seen."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rafiki.errors import EnvironmentBuildError
from rafiki.executor.base import WorkerSpec

#: How much of a worker's last output is kept.
MAX_OUTPUT_BYTES = 64 << 10

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class WorkerProcess:
    """A started process in a session of its own. `on_exit` is called in the event loop when it has ended.

    Until `reap`, the ended process keeps its pid, so that no signal can reach a stranger.
    """

    def __init__(self, spec: WorkerSpec, worker_socket: socket.socket, on_exit: Callable[[], None]) -> None:
        """Raises `EnvironmentBuildError` when the interpreter cannot be started."""
        self._output_fd, output_fd = os.pipe()
        os.set_blocking(self._output_fd, False)
        try:
            self._popen = _popen(spec, worker_socket, output_fd)
        except OSError as error:
            os.close(self._output_fd)
            message = f"The interpreter {spec.environment.python} cannot be started: {error.strerror}."
            raise EnvironmentBuildError(message) from error
        finally:
            os.close(output_fd)
        self.pid = self._popen.pid
        self._on_exit = on_exit
        self._output = bytearray()
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._exited)
        self._loop.add_reader(self._output_fd, self._read_output)

    def kill(self) -> None:
        """End the process and its group at once, also what is left of the group after the process."""
        if self._popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # it may have left its group

    def reap(self) -> tuple[int, str]:
        """Return code (negative: a signal) and last output of the process, which has ended."""
        for _ in range(4):  # a pipe holds no more; a child that left its session may still be writing
            self._read_output()
        self._loop.remove_reader(self._output_fd)
        os.close(self._output_fd)
        return self._popen.wait(), self._output.decode(errors="replace")

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.kill()  # children that it left
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


def _popen(spec: WorkerSpec, worker_socket: socket.socket, output_fd: int) -> subprocess.Popen[bytes]:
    runner_pid = os.getpid()
    start = {
        "fd": worker_socket.fileno(),
        "parent_pid": runner_pid,
        "model_path": str(spec.model_path),
        "model_class": spec.model_class,
        "scratch_dir": str(spec.scratch_dir),
        "cache_dir": str(spec.cache_dir) if spec.cache_dir is not None else None,
    }

    def die_with_runner() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != runner_pid:
            os._exit(1)

    return subprocess.Popen(
        [spec.environment.python, "-m", "rafiki.worker", json.dumps(start)],
        stdin=subprocess.DEVNULL,
        stdout=output_fd,
        stderr=output_fd,
        # `-m` puts the working directory first on the path: ours, whence the worker goes to its scratch folder.
        cwd=spec.environment.worker_part,
        env=_variables(spec),
        pass_fds=(worker_socket.fileno(),),
        start_new_session=True,
        preexec_fn=die_with_runner,  # it takes no lock that another thread could hold at the fork
    )


def _variables(spec: WorkerSpec) -> dict[str, str]:
    """A worker's environment, from nothing: none of the platform's secrets are in it."""
    n_threads = str(spec.n_threads)
    gpus = ",".join(map(str, spec.gpus)) or "-1"
    scratch_dir = str(spec.scratch_dir)
    return {
        "PATH": os.pathsep.join([str(Path(spec.environment.python).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": scratch_dir,
        "TMPDIR": scratch_dir,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(spec.environment.worker_part),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": n_threads,
        "OPENBLAS_NUM_THREADS": n_threads,
        "MKL_NUM_THREADS": n_threads,
        "CUDA_VISIBLE_DEVICES": gpus,
        "CUDA_AVAILABLE_DEVICES": gpus,
    }
