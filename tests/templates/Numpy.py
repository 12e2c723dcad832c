"""A template that says which NumPy it runs with."""

import numpy as np

from rafiki.model import BaseModel, FloatKnob, logger


class Numpy(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0.0, 1.0)}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._x = knobs["x"]

    def train(self, dataset_path, shared_params=None, **train_args):
        logger.log(f"trained with numpy {np.__version__}")

    def evaluate(self, dataset_path):
        return self._x

    def predict(self, queries):
        return [[float(np.__version__.split(".")[0]), 0.0] for _ in queries]

    def dump_parameters(self):
        return {"x": self._x, "array": np.arange(5)}

    def load_parameters(self, params):
        assert params["array"].tolist() == [0, 1, 2, 3, 4]
