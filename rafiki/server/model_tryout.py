"""A model template's small trial on generated data: it is trained, scored, stored, loaded, and asked."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from rafiki.advisor import make_advisor
from rafiki.constants import BudgetOption
from rafiki.entities import Failure
from rafiki.errors import RafikiError
from rafiki.executor import CallFailed, Worker, WorkerDied
from rafiki.model import KnobConfig, Knobs, PolicyKnob, deserialize_knob_config
from rafiki.tasks import Task, get_task
from rafiki.worker.frames import Load, Predict, Predicted, Train

#: Policies that make a trial shorter.
_SHORTENING = {"EARLY_STOP", "QUICK_EVAL", "DOWNSCALE"}
_N_QUERIES = 3


async def try_out(worker: Worker, folder: Path, task_name: str, knob_config: str, limit_s: float) -> list[str]:
    """Warnings: what went wrong, if anything did. Models of custom tasks are not tried out.

    The data is written to the folder, which the worker can read and must not be able to change.
    """
    task = get_task(task_name)
    path = folder / "example"
    if not await asyncio.to_thread(task.write_example, str(path)):
        return []
    knobs = await asyncio.to_thread(_choose_knobs, deserialize_knob_config(knob_config))
    if knobs is None:
        return []
    try:
        async with asyncio.timeout(limit_s):
            return await _round(worker, task, str(path), knobs)
    except CallFailed as error:
        return [_warning(error.failure)]
    except WorkerDied as error:
        return [_warning(error.failure())]
    except TimeoutError:
        return [f"It was tried out on a tiny generated dataset, and given up after {limit_s:g} s."]


async def _round(worker: Worker, task: Task, path: str, knobs: Knobs) -> list[str]:
    params_path = str(worker.spec.scratch_dir / "params-example")
    await worker.call(Train("example", knobs, path, path, params_path=params_path))
    await worker.call(Load(knobs, params_path))
    queries = [query for query, _ in itertools.islice(task.iterate(path), _N_QUERIES)]
    reply = await worker.call(Predict(queries))
    assert isinstance(reply, Predicted)
    try:
        for query, prediction in zip(queries, reply.predictions, strict=True):
            task.check_prediction(query, prediction)
    except RafikiError as error:
        return [f"Tried out on a tiny generated dataset, it gave a wrong prediction: {error.message}."]
    return []


def _choose_knobs(knob_config: KnobConfig) -> Knobs | None:
    proposal = make_advisor(knob_config, {BudgetOption.MODEL_TRIAL_COUNT: 1}).propose("", 1)
    if proposal is None:
        return None
    shortening = {
        name: True for name, knob in knob_config.items() if isinstance(knob, PolicyKnob) and knob.policy in _SHORTENING
    }
    return proposal.knobs | shortening


def _warning(failure: Failure) -> str:
    return f"Tried out on a tiny generated dataset, it failed ({failure.code}): {failure.message}"
