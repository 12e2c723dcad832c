"""BentoML: one worker per model, adaptive batches of up to 32; an ensemble is a service in front of two others."""

import asyncio
import os
from typing import Any

import bentoml
import models
import numpy as np

WORK = os.environ["WORK"]
QUIET = {"access": {"enabled": False}}


def model_service(kind: str) -> Any:
    class Model:
        def __init__(self) -> None:
            self._model = models.get(kind)

        @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=60000)
        def predict(self, query: np.ndarray) -> np.ndarray:
            return self._model.predict_proba(models.prepare(query, WORK))

    return bentoml.service(Model, name=f"model_{kind}", workers=1, resources={"cpu": 1}, logging=QUIET)


members = [model_service(kind) for kind in models.WORKS[WORK]]

if len(members) == 1:
    Service = members[0]
else:

    @bentoml.service(name="front", workers=1, logging=QUIET)
    class Service:
        first = bentoml.depends(members[0])
        second = bentoml.depends(members[1])

        @bentoml.api
        async def predict(self, query: Any) -> dict[str, Any]:
            batch = np.asarray([query])
            p, q = await asyncio.gather(self.first.to_async.predict(batch), self.second.to_async.predict(batch))
            return {"prediction": ((p[0] + q[0]) / 2).tolist()}
