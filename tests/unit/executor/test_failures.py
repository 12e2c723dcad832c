"""What templates do wrong: each fault is named, and the worker goes on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from rafiki.entities import FailureCode
from rafiki.executor import CallFailed, Worker
from rafiki.model.params import save_params
from rafiki.worker.frames import Inspect, Load, Log, Predict, Predicted, Train, Trained

Start = Callable[..., Awaitable[Worker]]

TRAIN = Train("t1", {"x": 0.5}, "/train", "/val")


def messages(logs: list[Log], trial_id: str) -> list[str]:
    lines = [line for log in logs if log.trial_id == trial_id for line in log.lines]
    return [entry["message"] for entry in map(json.loads, lines) if entry["type"] == "MESSAGE"]


async def failing(worker: Worker, request: object) -> tuple[str, str, str]:
    with pytest.raises(CallFailed) as caught:
        await worker.call(request)  # type: ignore[arg-type]
    failure = caught.value.failure
    return failure.code, failure.message, failure.hint


async def test_failures_name_the_templates_line_and_the_worker_goes_on(start: Start, tmp_path: Path) -> None:
    worker = await start(
        train="""\
what = train_args.get("what")
if what == "raise": raise ValueError("too small")
if what == "exit": sys.exit(3)
if what == "ctrl-c": raise KeyboardInterrupt
self.score = train_args.get("score", 0.5)""",
        evaluate="return self.score",
        destroy='print("destroyed")',
        load_parameters="raise RuntimeError('not mine')",
    )
    logs: list[Log] = []
    worker.on_log = logs.append

    def train(trial_id: str, **train_args: object) -> Train:
        return Train(trial_id, {"x": 0.5}, "/train", "/val", train_args=train_args)

    code, message, _ = await failing(worker, train("t1", what="raise"))
    assert (code, message) == (FailureCode.EXCEPTION, "ValueError: too small (MyModel.py, line 13, in train)")
    traceback, destroyed = messages(logs, "t1")
    assert 'raise ValueError("too small")' in traceback
    assert destroyed == "destroyed"
    code, message, hint = await failing(worker, train("t2", what="exit"))
    assert code == FailureCode.EXCEPTION
    assert message.startswith("SystemExit: 3 (MyModel.py, line 14")
    assert "must not end its process" in hint
    code, message, _ = await failing(worker, train("t3", what="ctrl-c"))
    assert (code, message.split()[0]) == (FailureCode.EXCEPTION, "KeyboardInterrupt")
    code, message, _ = await failing(worker, train("t4", score="high"))
    assert code == FailureCode.BAD_SCORE
    assert "str 'high'" in message
    (tmp_path / "broken").write_bytes(b"no params")
    code, *_ = await failing(worker, Load({"x": 0.5}, str(tmp_path / "broken")))
    assert code == FailureCode.INTERNAL
    save_params(tmp_path / "params", {})
    code, message, _ = await failing(worker, Load({"x": 0.5}, str(tmp_path / "params")))
    assert code == FailureCode.EXCEPTION
    assert "not mine" in message
    code, *_ = await failing(worker, Predict([1]))
    assert code == FailureCode.INTERNAL
    code, message, _ = await failing(
        worker, Train("t5", {"x": 0.5}, "/train", "/val", params_path=str(tmp_path / "no" / "params"))
    )
    assert code == FailureCode.INTERNAL
    assert "could not be written" in message
    assert await worker.call(TRAIN) == Trained(0.5, False)


@pytest.mark.parametrize(
    ("source", "code", "named"),
    [
        ("import a_package_that_is_not_there\n", FailureCode.MISSING_DEPENDENCY, "a_package_that_is_not_there"),
        ("class MyModel(\n", FailureCode.IMPORT_ERROR, "line 1"),
        ("x = 1\nraise ValueError('at import')\n", FailureCode.IMPORT_ERROR, "line 2"),
        ("import sys\nsys.exit(0)\n", FailureCode.IMPORT_ERROR, "line 2"),
        ("class Other: pass\n", FailureCode.INVALID_MODEL_CLASS, "no class MyModel"),
        (
            "from rafiki.model import BaseModel\nclass MyModel(BaseModel): pass\n",
            FailureCode.INVALID_MODEL_CLASS,
            "lacks the method `evaluate`; write `def evaluate(self, dataset_path):`",
        ),
    ],
)
async def test_an_unusable_file_fails_every_request_with_the_same_reason(
    start: Start, source: str, code: str, named: str
) -> None:
    worker = await start(source=source)
    found = await failing(worker, Inspect())
    assert found[0] == code
    assert named in found[1]
    if code != FailureCode.INVALID_MODEL_CLASS:
        assert await failing(worker, TRAIN) == found


async def test_predictions_that_are_not_one_value_per_query_are_named(start: Start, tmp_path: Path) -> None:
    worker = await start(predict="return eval(queries[0])")
    save_params(tmp_path / "params", {})
    await worker.call(Load({"x": 0.5}, str(tmp_path / "params")))
    for predictions, named in {
        "None": "NoneType",
        "{}": "dict",
        "[1, 2]": "2 predictions for 1 queries",
        "[object()]": "not JSON serializable",
        "[[0.5], [0.5]]": "2 predictions for 1 queries",
    }.items():
        code, message, _ = await failing(worker, Predict([predictions]))
        assert code == FailureCode.BAD_PREDICTIONS
        assert named in message
    reply = await worker.call(Predict(["np.array([[0.25, 0.75]], np.float32)"]))
    assert isinstance(reply, Predicted)
    assert isinstance(reply.predictions, np.ndarray)
    assert reply.predictions.tolist() == [[0.25, 0.75]]
    assert await worker.call(Predict(["[np.int64(3)]"])) == Predicted([3])
