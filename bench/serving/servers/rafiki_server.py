"""Rafiki's predictor as an inference job runs it, without the platform around it: members are worker processes."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import models
import uvloop

from rafiki.environment import Environment, worker_part
from rafiki.executor import LocalExecutor, Worker, WorkerSpec
from rafiki.model.params import save_params
from rafiki.predictor import Ensemble, MemberPlan, PredictorApp, PredictorServer, ServingPolicy, listen
from rafiki.runner.serving import tune_garbage_collection
from rafiki.tasks import get_task
from rafiki.worker.frames import Load

TEMPLATE = Path(__file__).parent.parent / "template.py"


def _plan(executor: LocalExecutor, folder: Path, work: str, kind: str) -> MemberPlan:
    params_path = folder / f"{kind}.params"
    save_params(params_path, {"classifier": models.model_path(kind).read_bytes()})
    environment = Environment(Path(sys.executable), worker_part(folder))

    async def start() -> Worker:
        scratch_dir = Path(tempfile.mkdtemp(prefix=kind, dir=folder))
        return await executor.start(WorkerSpec(kind, environment, TEMPLATE, "SkClassifier", scratch_dir))

    knobs = {"n_channels": 3 if work == "big" else 1, "scale": models.SCALES[work]}
    return MemberPlan(kind, kind, Load(knobs, str(params_path)), start)


async def serve(work: str, port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        executor, policy, task = LocalExecutor(), ServingPolicy(), get_task("IMAGE_CLASSIFICATION")
        ensemble = Ensemble(task, [_plan(executor, Path(folder), work, kind) for kind in models.WORKS[work]], policy)
        server = PredictorServer(PredictorApp("The predictor", task, ensemble, policy), listen("127.0.0.1", port))
        await server.start()
        await ensemble.open()
        await asyncio.gather(*(member.ready.wait() for member in ensemble.members))
        tune_garbage_collection()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(os.environ["WORK"], int(os.environ["PORT"])))
