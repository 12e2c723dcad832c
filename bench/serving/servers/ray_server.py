"""Ray Serve: one replica per model, batches of up to 32; an ensemble is a deployment in front of the others."""

import os
import signal
from typing import Any

import models
import ray
from ray import serve
from starlette.requests import Request

WORK = os.environ["WORK"]


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Model:
    def __init__(self, kind: str) -> None:
        self._model = models.get(kind)

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.0)
    async def predict(self, queries: list[Any]) -> list[Any]:
        return self._model.predict_proba(models.prepare(queries, WORK)).tolist()

    async def __call__(self, request: Request) -> dict[str, Any]:
        return {"prediction": await self.predict((await request.json())["query"])}


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Mean:
    def __init__(self, *members: Any) -> None:
        self._members = members

    async def __call__(self, request: Request) -> dict[str, Any]:
        query = (await request.json())["query"]
        answers = [member.predict.remote(query) for member in self._members]
        predictions = [await answer for answer in answers]
        return {"prediction": [sum(column) / len(predictions) for column in zip(*predictions, strict=True)]}


if __name__ == "__main__":
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        log_to_driver=False,
        logging_level="warning",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    kinds = models.WORKS[WORK]
    members = [Model.options(name=f"Model-{kind}").bind(kind) for kind in kinds]
    serve.run(
        members[0] if len(members) == 1 else Mean.bind(*members),
        route_prefix="/predict",
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    signal.pause()
