"""A template that holds its GPUs as frameworks do: from the first use on, for as long as its process lives."""

import fcntl
import os
import time
from pathlib import Path

from rafiki.model import BaseModel, FloatKnob

_HELD = {}


def _hold_gpus(folder):
    """Each GPU is a file in `folder`, of which only one process at a time can have the lock."""
    for index in os.environ["CUDA_VISIBLE_DEVICES"].split(","):
        if index == "-1" or index in _HELD:
            continue
        _HELD[index] = Path(folder, f"gpu-{index}").open()  # noqa: SIM115 (held for ever)
        try:
            fcntl.flock(_HELD[index], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(f"GPU {index} is held by another process") from error


class Gpus(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0.0, 1.0)}

    def __init__(self, **knobs):
        self._x = knobs["x"]

    def train(self, dataset_path, shared_params=None, **train_args):
        self._folder = train_args["gpus"]
        _hold_gpus(self._folder)
        time.sleep(train_args.get("seconds", 0))
        wait_for = train_args.get("wait_for_file")
        while wait_for and not Path(wait_for).exists():
            time.sleep(0.01)

    def evaluate(self, dataset_path):
        return 1.0 - self._x

    def predict(self, queries):
        return [os.environ["CUDA_VISIBLE_DEVICES"] for _ in queries]

    def dump_parameters(self):
        return {
            "folder": self._folder,
            "visible": os.environ["CUDA_VISIBLE_DEVICES"],
            "available": os.environ["CUDA_AVAILABLE_DEVICES"],
        }

    def load_parameters(self, params):
        _hold_gpus(params["folder"])
