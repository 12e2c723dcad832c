"""Who ends a worker's processes, whatever they are and wherever they went.

In a sandbox that is its first process. Elsewhere it is a keeper, the worker's parent: processes whose own parents have
ended become its children. It ends with the worker's exit code, or 128 + n where signal n ended the worker, and never
before all of these processes.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from typing import Any, List

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None)


def die_with_parent(parent_pid: int, signal_no: int = signal.SIGKILL) -> None:
    """Also set by the executor before this program began; set here for interpreters that start through another."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal_no)
    if os.getppid() != parent_pid:  # it died before this was set
        os._exit(1)


def fork_under_keeper(parent_pid: int) -> None:
    """Returns in a child, in a session of its own; the process that called becomes its keeper."""
    keeper_pid = os.getpid()
    signal.signal(signal.SIGTERM, _end_all)
    die_with_parent(parent_pid, signal.SIGTERM)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    worker_pid = os.fork()
    if worker_pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        die_with_parent(keeper_pid)
        return
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the worker's end of its connection is its own alone
    _keep(worker_pid)


def _keep(worker_pid: int) -> None:
    while True:
        pid, status = os.wait()
        if pid == worker_pid:
            _kill_all()
            os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def _end_all(*_: Any) -> None:
    """The runner's will, or its end."""
    _kill_all()
    os._exit(128 + signal.SIGKILL)


def _kill_all() -> None:
    while True:
        for pid in _descendants():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _descendants() -> List[int]:
    found = _children(os.getpid())
    for pid in found:
        found += _children(pid)
    return found


def _children(pid: int) -> List[int]:
    found: List[int] = []
    with suppress(OSError):
        for thread in os.listdir("/proc/%d/task" % pid):
            with suppress(OSError), open("/proc/%d/task/%s/children" % (pid, thread)) as file:
                found += map(int, file.read().split())
    return found
