"""Limits, barriers and ends that are the containers' own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rafiki.entities import FailureCode
from rafiki.environment import Environment
from rafiki.executor import Allowance, Limits, WorkerDied, WorkerSpec
from rafiki.executor.container import ContainerExecutor, remove_left_over
from rafiki.worker.frames import Inspect, Log, Train
from tests.containers import WORKER_IMAGE, Engine
from tests.unit.executor.conftest import template_source
from tests.unit.executor.test_deaths import Start, wait_for_end

TRAIN = Train("t1", {"x": 0.5}, "/train", "/val")


async def test_a_container_has_an_image_that_nobody_changes_and_no_rights(start: Start) -> None:
    look = """\
import json
found = {"capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")]}
for path in ("/etc/x", "/opt/rafiki/x", "/root/x"):
    try: open(path, "w"); found[path] = "written"
    except OSError as error: found[path] = error.strerror
found["interfaces"] = sorted(os.listdir("/sys/class/net"))
logger.log(json.dumps(found))"""
    worker = await start(train=look)
    logs: list[Log] = []
    worker.on_log = logs.append
    await worker.call(TRAIN)
    (line,) = logs[0].lines
    found = json.loads(json.loads(line)["message"])
    assert found.pop("interfaces") == ["lo"]
    assert found.pop("capabilities") == ["0000000000000000"]
    assert set(found.values()) == {"Read-only file system"}


async def test_what_the_kernel_ends_for_its_memory_is_out_of_memory(
    environment: Environment, engine: Engine, tmp_path: Path
) -> None:
    executor = ContainerExecutor(engine.address)
    scratch_dir = tmp_path / "scratch"
    scratch_dir.mkdir()
    model_path = tmp_path / "model"
    model_path.write_text(template_source(train="parts = [bytearray(os.urandom(1 << 20)) for _ in range(4000)]"))
    allowance = Allowance(limits=Limits(memory_bytes=200 << 20))
    worker = await executor.start(WorkerSpec("w", environment, model_path, "MyModel", scratch_dir, allowance=allowance))
    with pytest.raises(WorkerDied) as caught:
        await worker.call(TRAIN, timeout_s=60)
    failure = caught.value.failure()
    assert failure.code == FailureCode.OUT_OF_MEMORY
    assert "memory" in failure.message
    await executor.close()


RUNNER = """
import asyncio, sys
from pathlib import Path
from rafiki.environment import Environment
from rafiki.executor import WorkerSpec
from rafiki.executor.container import ContainerExecutor
from rafiki.worker.frames import Inspect

async def main():
    part, image, engine, model, scratch = sys.argv[1:]
    environment = Environment(Path("python3"), Path(part), image)
    worker = await ContainerExecutor(engine).start(
        WorkerSpec("w", environment, Path(model), "MyModel", Path(scratch))
    )
    await worker.call(Inspect())
    print(worker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_workers_end_with_their_runner_and_their_containers_are_removed(
    environment: Environment, engine: Engine, tmp_path: Path
) -> None:
    scratch_dir = tmp_path / "job" / "scratch"
    scratch_dir.mkdir(parents=True)
    model_path = tmp_path / "model"
    model_path.write_text(template_source())
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, environment.worker_part, engine.id_of(WORKER_IMAGE), engine.address, model_path,
         scratch_dir],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert runner.stdout is not None
    worker_pid = int(await asyncio.to_thread(runner.stdout.readline))
    runner.kill()
    runner.wait()
    runner.stdout.close()
    wait_for_end(worker_pid, 10)
    assert len(engine.containers()) == 1
    await remove_left_over(engine.address, scratch_dir.parent)
    assert engine.containers() == []
    assert [path.name for path in scratch_dir.parent.iterdir()] == ["scratch"]


async def test_a_container_that_an_operator_removes_is_a_killed_worker(start: Start, engine: Engine) -> None:
    worker = await start(train="signal.pause()")
    await worker.call(Inspect())
    call = asyncio.create_task(worker.call(TRAIN, timeout_s=30))
    await asyncio.sleep(0)
    (container,) = engine.containers()
    await asyncio.to_thread(engine.ask, "rm", "--force", container)
    with pytest.raises(WorkerDied) as caught:
        await call
    assert caught.value.exit.signal == signal.SIGKILL
    assert caught.value.failure().code == FailureCode.KILLED
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)
