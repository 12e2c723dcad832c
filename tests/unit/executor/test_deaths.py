"""How workers end, and that nothing that one sends or does takes the runner down."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rafiki.entities import FailureCode
from rafiki.environment import Environment
from rafiki.errors import EnvironmentBuildError
from rafiki.executor import LocalExecutor, Worker, WorkerDied, WorkerSpec
from rafiki.worker.frames import Inspect, Train

Start = Callable[..., Awaitable[Worker]]

TRAIN = Train("t1", {"x": 0.5}, "/train", "/val")


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 :].split()[0] not in (b"Z", b"X")


def wait_for_end(pid: int, timeout_s: float = 5.0) -> None:
    """Return when a process that is not our child has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(timeout_s * 1000), f"process {pid} goes on"
    os.close(pidfd)


async def death_of(worker: Worker, request: object = TRAIN) -> WorkerDied:
    with pytest.raises(WorkerDied) as caught:
        await worker.call(request, timeout_s=20)  # type: ignore[arg-type]
    return caught.value


async def test_a_killed_worker_is_seen_at_once(start: Start) -> None:
    worker = await start(train="signal.pause()")
    await worker.call(Inspect())
    calls = [asyncio.create_task(death_of(worker)) for _ in range(2)]
    await asyncio.sleep(0)
    killed = time.monotonic()
    os.kill(worker.pid, signal.SIGKILL)
    failures = [death.failure() for death in await asyncio.gather(*calls)]
    assert time.monotonic() - killed < 1
    assert {failure.code for failure in failures} == {FailureCode.KILLED}
    assert "signal 9 (SIGKILL)" in failures[0].message
    assert "memory" in failures[0].hint
    assert (await death_of(worker)).exit == await worker.exited
    worker.kill()  # no effect


async def test_a_template_that_ends_its_process_is_named_with_its_last_output(start: Start) -> None:
    worker = await start(train="os.write(2, b'giving up\\n'); os._exit(7)")
    failure = (await death_of(worker)).failure()
    assert failure.code == FailureCode.EXITED
    assert "exit code 7" in failure.message
    assert "giving up" in failure.message
    worker = await start(train="import ctypes; ctypes.string_at(0)")
    failure = (await death_of(worker)).failure()
    assert failure.code == FailureCode.KILLED
    assert "signal 11 (SIGSEGV)" in failure.message
    assert "MyModel.py" in failure.message


async def test_what_was_sent_before_the_death_arrives(start: Start) -> None:
    worker = await start(train="logger.log('a'); print('b'); time.sleep(0.3); os._exit(0)")
    lines: list[str] = []
    worker.on_log = lambda log: lines.extend(log.lines)
    await death_of(worker)
    assert len(lines) == 2


async def test_kill_ends_the_children_of_the_worker_too(start: Start, tmp_path: Path) -> None:
    pid_path = tmp_path / "pid"
    child = f"import subprocess; p = subprocess.Popen(['sleep', '600']); open({str(pid_path)!r}, 'w').write(str(p.pid))"
    for end in ("signal.pause()", "os._exit(0)"):
        worker = await start(train=f"{child}; logger.log('started'); {end}")
        started = asyncio.get_running_loop().create_future()
        worker.on_log = lambda log, started=started: started.set_result(None)  # type: ignore[misc]
        call = asyncio.create_task(death_of(worker))
        if end == "signal.pause()":
            await started
            worker.kill()
        death = await call
        assert death.exit.was_stopped == (end == "signal.pause()")
        wait_for_end(int(pid_path.read_text()))


async def test_stop_is_by_force_after_its_grace(start: Start) -> None:
    worker = await start(train="signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()")
    await worker.call(Inspect())
    call = asyncio.create_task(death_of(worker))
    await asyncio.sleep(0)
    await worker.stop(grace_s=0.05)
    death = await call
    assert death.exit.signal == signal.SIGKILL
    assert death.failure().code == FailureCode.INTERRUPTED


async def test_one_that_waits_for_the_end_can_be_cancelled_alone(start: Start) -> None:
    worker = await start()
    waits = [asyncio.create_task(asyncio.wait_for(worker.exited, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    waits[0].cancel()
    await asyncio.wait({waits[0]})
    assert not worker.exited.done()
    worker.kill()
    assert (await waits[1]).signal == signal.SIGKILL


async def test_an_interpreter_that_is_not_there_is_an_environment_error(tmp_path: Path) -> None:
    spec = WorkerSpec("w", Environment(tmp_path / "no-python", tmp_path), tmp_path / "m", "MyModel", tmp_path)
    n_descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(EnvironmentBuildError, match="no-python"):
        await LocalExecutor().start(spec)
    await asyncio.sleep(0)  # the transport closes its socket in the next round of the loop
    assert len(os.listdir("/proc/self/fd")) == n_descriptors  # noqa: PTH208


FORGERIES = {
    "garbage": "b'\\xff' * 100",
    "no JSON": "struct.pack('<II', 9, 5) + b'pickl'",
    "an answer to a call that was never made": "frame({'kind': 'Loaded', 'id': 99})",
    "an answer of another kind": "frame({'kind': 'Loaded', 'id': 1})",
    "a path elsewhere": "frame({'bulk': '../../../../../../etc/passwd'})",
    "a request": "frame({'kind': 'Exit', 'id': None})",
}


FIND_SOCKET = """\
import json, socket, struct
def frame(header):
    text = json.dumps(header).encode()
    return struct.pack('<II', len(text) + 4, len(text)) + text
def link_of(fd):
    try: return os.readlink(f'/proc/self/fd/{fd}')
    except OSError: return ''
def find_socket():
    return next(fd for fd in map(int, os.listdir('/proc/self/fd')) if fd > 2 and link_of(fd).startswith('socket'))
"""


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_worker_that_breaks_the_protocol_is_ended(start: Start, forgery: str) -> None:
    worker = await start(top=FIND_SOCKET, train=f"os.write(find_socket(), {forgery}); signal.pause()")
    assert (await death_of(worker)).failure().code == FailureCode.PROTOCOL


async def test_a_worker_that_closes_its_connection_is_ended(start: Start) -> None:
    shut_down = "socket.socket(fileno=os.dup(find_socket())).shutdown(socket.SHUT_WR)"
    worker = await start(top=FIND_SOCKET, train=f"{shut_down}; signal.pause()")
    failure = (await death_of(worker)).failure()
    assert failure.code == FailureCode.PROTOCOL
    assert "closed its connection" in failure.message


RUNNER = """
import asyncio, os, sys
from pathlib import Path
from rafiki.environment import Environment
from rafiki.executor import LocalExecutor, WorkerSpec
from rafiki.worker.frames import Inspect, Train

async def main():
    part, model, scratch = map(Path, sys.argv[1:])
    spec = WorkerSpec("w", Environment(Path(sys.executable), part), model, "MyModel", scratch)
    worker = await LocalExecutor().start(spec)
    await worker.call(Inspect())
    worker.on_log = lambda log: print(worker.pid, flush=True)
    await worker.call(Train("t", {"x": 0.5}, "/train", "/val"))

asyncio.run(main())
"""


@pytest.mark.parametrize("busy", ["signal.pause()", "import ctypes; ctypes.PyDLL(None).pause()"])
async def test_workers_end_with_their_runner(environment: Environment, tmp_path: Path, busy: str) -> None:
    """Killed, it can do nothing for them; also not for one whose template holds the interpreter's lock."""
    source = textwrap.dedent(f"""
        import signal, time
        from rafiki.model import BaseModel, logger
        class MyModel(BaseModel):
            @staticmethod
            def get_knob_config(): return {{}}
            def __init__(self, **knobs): pass
            def train(self, path, shared_params=None):
                logger.log("started"); time.sleep(0.1); {busy}
            def evaluate(self, path): return 0
            def predict(self, queries): return queries
            def dump_parameters(self): return {{}}
            def load_parameters(self, params): pass
    """)
    model_path = tmp_path / "model"
    model_path.write_text(source.replace("**knobs", "**knobs"))
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, environment.worker_part, model_path, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    worker_pid = int(await asyncio.to_thread(runner.stdout.readline))
    assert is_running(worker_pid)
    runner.kill()
    runner.wait()
    runner.stdout.close()
    wait_for_end(worker_pid)
