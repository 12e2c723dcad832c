"""Calls on real workers: trials, predictions, and what templates do wrong."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from rafiki.executor import Worker
from rafiki.model.params import load_params, save_params
from rafiki.worker.frames import Inspect, Inspected, Load, Loaded, Log, Predict, Predicted, Train, Trained

Start = Callable[..., Awaitable[Worker]]


async def test_a_model_is_inspected_trained_loaded_and_asked(start: Start, tmp_path: Path) -> None:
    """One worker through all that it can do, on both event loops."""
    worker = await start(
        train='print("from", shared_params["from"], path, train_args["epochs"])',
        predict="return [self.params['answer'], queries[1].sum()]",
        load_parameters="self.params = params",
        teardown='open("torn-down", "w").close()',
    )
    inspected = await worker.call(Inspect())
    assert isinstance(inspected, Inspected)
    assert list(json.loads(inspected.knob_config)) == ["x"]

    logs: list[Log] = []
    worker.on_log = logs.append
    shared_path, params_path = tmp_path / "shared", tmp_path / "params"
    save_params(shared_path, {"from": "another trial"})
    train = Train("t1", {"x": 0.5}, "/train", "/val", str(shared_path), {"epochs": 3}, str(params_path))
    assert await worker.call(train) == Trained(0.5, True)
    assert load_params(params_path) == {"answer": 42}
    assert messages(logs, "t1") == ["from another trial /train 3"]

    assert await worker.call(Load({"x": 0.5}, str(params_path))) == Loaded()
    assert await worker.call(Predict([np.zeros(1), np.full((8, 8, 3), 2, np.uint8)])) == Predicted([42, 384])
    await worker.stop()
    worker_exit = await worker.exited
    assert (worker_exit.exit_code, worker_exit.was_stopped) == (0, True)
    assert (worker.spec.scratch_dir / "torn-down").exists()


def messages(logs: list[Log], trial_id: str) -> list[str]:
    lines = [line for log in logs if log.trial_id == trial_id for line in log.lines]
    return [entry["message"] for entry in map(json.loads, lines) if entry["type"] == "MESSAGE"]


TRAIN = Train("t1", {"x": 0.5}, "/train", "/val")


async def test_calls_are_answered_in_order_and_cancelled_ones_spoil_nothing(start: Start, tmp_path: Path) -> None:
    worker = await start(predict="return queries")
    save_params(tmp_path / "params", {})
    await worker.call(Load({"x": 0.5}, str(tmp_path / "params")))
    order: list[int] = []

    async def ask(n: int) -> object:
        reply = await worker.call(Predict([n]))
        order.append(n)
        return reply

    tasks = [asyncio.create_task(ask(n)) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::5]:
        task.cancel()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    for n, reply in enumerate(replies):
        assert isinstance(reply, asyncio.CancelledError) if n % 5 == 0 else reply == Predicted([n])
    assert order == sorted(order)


async def test_a_call_that_takes_too_long_times_out_and_the_worker_goes_on(start: Start, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    worker = await start(train=f"open({str(fifo)!r}).close()")
    await worker.call(Inspect())
    os.mkfifo(fifo)
    with pytest.raises(TimeoutError):
        await worker.call(TRAIN, timeout_s=0.05)
    fifo.open("w").close()
    assert isinstance(await worker.call(Inspect()), Inspected)


async def test_large_messages_go_by_file_and_do_not_hold_up_the_loop(start: Start, tmp_path: Path) -> None:
    worker = await start(predict="return np.stack([q.reshape(-1).astype(float) for q in queries])")
    save_params(tmp_path / "params", {})
    await worker.call(Load({"x": 0.5}, str(tmp_path / "params")))
    queries = [np.full((512, 512, 3), n, np.uint8) for n in range(4)]
    replies = await asyncio.gather(worker.call(Predict(queries)), worker.call(Predict(queries[:1])))
    for reply, n in zip(replies, (4, 1), strict=True):
        assert isinstance(reply, Predicted)
        np.testing.assert_array_equal(reply.predictions, np.stack([q.reshape(-1) for q in queries[:n]]))
    assert not list(worker.spec.scratch_dir.glob("bulk-*"))


async def test_a_worker_has_its_own_variables_and_none_of_ours(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAFIKI_SUPERADMIN_PASSWORD", "secret")
    worker = await start(predict="return [dict(os.environ), os.getcwd(), sys.path]", gpus=(1, 3))
    save_params(tmp_path / "params", {})
    await worker.call(Load({"x": 0.5}, str(tmp_path / "params")))
    reply = await worker.call(Predict([0, 0, 0]))
    assert isinstance(reply, Predicted)
    variables, folder, path = reply.predictions
    assert "secret" not in str(variables)
    assert variables["CUDA_VISIBLE_DEVICES"] == variables["CUDA_AVAILABLE_DEVICES"] == "1,3"
    assert variables["OMP_NUM_THREADS"] == "1"
    assert folder == variables["HOME"] == variables["TMPDIR"] == str(worker.spec.scratch_dir)
    assert path[0] == str(worker.spec.environment.worker_part)
