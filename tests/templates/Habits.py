"""A template with the habits of many that were written before: what they rely on must stay."""
# ruff: noqa: PTH107, PTH118, PTH202

import base64
import json
import os
import pickle
import tempfile

from rafiki.model import BaseModel, FixedKnob, logger


class Habits(BaseModel):
    """Parameters are texts that hold JSON, base64 and pickles; models go through files; GPUs are asked for by name."""

    @staticmethod
    def get_knob_config():
        return {"factor": FixedKnob(3)}

    def __init__(self, **knobs):  # without super().__init__
        self._knobs = knobs
        self._factors = None

    def train(self, dataset_path, **kwargs):
        logger.log(f"shared_params={kwargs.pop('shared_params')}")
        logger.log(f"train_args={json.dumps(kwargs, sort_keys=True)}")
        logger.log(f"CUDA_AVAILABLE_DEVICES={os.environ['CUDA_AVAILABLE_DEVICES']}")
        with tempfile.TemporaryDirectory() as folder, open(dataset_path) as file:
            path = os.path.join(folder, "copy.csv")
            with open(path, "w") as copy:
                copy.write(file.read())
            self._n_bytes = os.path.getsize(path)
        self._factors = {"all": {self._knobs["factor"]}}  # a set: JSON has none

    def evaluate(self, dataset_path):
        return 1 / self._n_bytes

    def dump_parameters(self):
        with tempfile.NamedTemporaryFile(delete=False) as file:  # as those do whose library can only save to a file
            pickle.dump(self._factors, file)
        try:
            with open(file.name, "rb") as saved:
                h5_model_base64 = base64.b64encode(saved.read()).decode("utf-8")
        finally:
            os.remove(file.name)
        return {
            "h5_model_base64": h5_model_base64,
            "train_stats": json.dumps({"n_bytes": self._n_bytes, "scale": [0.5, None]}),
        }

    def load_parameters(self, params):
        handle, path = tempfile.mkstemp()
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64decode(params["h5_model_base64"].encode("utf-8")))
        with open(path, "rb") as file:
            self._factors = pickle.load(file)
        os.remove(path)
        self._n_bytes = json.loads(params["train_stats"])["n_bytes"]

    def predict(self, queries):
        with tempfile.SpooledTemporaryFile(max_size=1, mode="w+") as file:
            json.dump(queries, file)
            file.seek(0)
            queries = json.load(file)
        (factor,) = self._factors["all"]
        return [factor * query for query in queries]
