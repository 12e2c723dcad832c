"""A template without dependencies whose behaviour its knobs and train arguments choose."""

import logging
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from rafiki.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, logger

PROCESS = os.urandom(8).hex()  # in a sandbox the pid is always the same


class Steps(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0.0, 1.0), "n": IntegerKnob(1, 5), "kind": FixedKnob("steps")}

    def __init__(self, **knobs):
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        logger.define_loss_plot()
        logger.log_loss(0.5, 0)
        print(f"printed with x = {self._knobs['x']:.3f}")
        logging.getLogger("steps").info("a standard record")
        if train_args.get("die_of"):
            os.kill(os.getpid(), getattr(signal, train_args["die_of"]))
        if train_args.get("raises"):
            raise ValueError(train_args["raises"])
        if train_args.get("n_bytes"):
            self._held = np.ones(train_args["n_bytes"], np.uint8)
        if train_args.get("seconds"):
            time.sleep(train_args["seconds"])
        if train_args.get("only_once"):  # the first trial is quick, the others never end
            if Path(train_args["only_once"]).exists():
                threading.Event().wait()
            Path(train_args["only_once"]).touch()
        wait_for = train_args.get("wait_for_file")
        while wait_for and not Path(wait_for).exists():
            time.sleep(0.01)
        self._weights = np.arange(4) * self._knobs["x"]

    def evaluate(self, dataset_path):
        return np.float64(1.0 - (self._knobs["x"] - 0.3) ** 2)

    def predict(self, queries):
        return [{"query": query, "x": self._knobs["x"], "process": PROCESS} for query in queries]

    def dump_parameters(self):
        return {"weights": self._weights, "x": self._knobs["x"]}

    def load_parameters(self, params):
        assert params["x"] == self._knobs["x"]
        self._weights = params["weights"]


class FailsToLoad(Steps):
    def load_parameters(self, params):
        raise RuntimeError("these parameters do not fit")


class Abstract(BaseModel):
    @staticmethod
    def get_knob_config():
        return {}
