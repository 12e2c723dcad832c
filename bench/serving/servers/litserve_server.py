"""LitServe: one worker process that holds all models, batches of up to 32."""

import os
from typing import Any

import litserve
import models


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self._ensemble = models.Ensemble(os.environ["WORK"])

    def decode_request(self, request: dict[str, Any]) -> Any:
        return request["query"]

    def batch(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def predict(self, inputs: list[Any]) -> Any:
        return self._ensemble.predict(inputs)

    def unbatch(self, output: Any) -> Any:
        return output.tolist()

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        return {"prediction": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=32, batch_timeout=0.001), accelerator="cpu", devices=1, workers_per_device=1, timeout=30
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
