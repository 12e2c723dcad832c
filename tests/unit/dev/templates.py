"""Templates whose authors made this or that of it. Small, quick, without dependencies."""

from typing import ClassVar

import numpy as np

from rafiki.model import ArchKnob, BaseModel, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob


class Good(BaseModel):
    """Best at x = 0.7; predicts how often a query was seen."""

    @staticmethod
    def get_knob_config():
        return {
            "x": FloatKnob(0.0, 1.0),
            "n": IntegerKnob(1, 9),
            "solver": CategoricalKnob(["adam", "sgd"]),
            "deep": CategoricalKnob([True, False]),
            "kind": FixedKnob("small"),
            "stop": PolicyKnob("EARLY_STOP"),
        }

    def __init__(self, **knobs):
        self.knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        self.train_args = train_args
        self.weights = np.arange(3.0)

    def evaluate(self, dataset_path):
        return np.float32(1.0 - abs(self.knobs["x"] - 0.7))

    def predict(self, queries):
        return [{"n": np.int64(self.knobs["n"]), "query": query, "weights": self.weights} for query in queries]

    def dump_parameters(self):
        return {"weights": np.arange(3.0)}

    def load_parameters(self, params):
        self.weights = params["weights"]
        self.weights += 0.0  # writable, as it was


class Sharing(Good):
    """Counts in its parameters how many trainings they have been through."""

    received: ClassVar[list] = []

    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0.0, 1.0), "share": PolicyKnob("SHARE_PARAMS")}

    def train(self, dataset_path, shared_params=None):
        Sharing.received.append(shared_params)
        self.count = 1 if shared_params is None else shared_params["count"] + 1

    def evaluate(self, dataset_path):
        return float(self.count)

    def dump_parameters(self):
        return {"count": self.count}


class Architecture(Good):
    @staticmethod
    def get_knob_config():
        return {"arch": ArchKnob([[1, 2], [1, 2, 3]]), "x": FloatKnob(0, 1)}


class SometimesFails(Good):
    def train(self, dataset_path, **kwargs):
        if self.knobs["x"] < 0.5:
            raise ValueError(f"x is {self.knobs['x']}")


class AlwaysFails(Good):
    def train(self, dataset_path, **kwargs):
        self.weights = self.of_no_use()

    def of_no_use(self):
        raise ArithmeticError("never converges")


class NoScore(Good):
    def evaluate(self, dataset_path):
        return "very good"


class ListParameters(Good):
    def dump_parameters(self):
        return {"weights": [1, 2]}


class NotJson(Good):
    def predict(self, queries):
        return [{1, 2} for _ in queries]


class NumbersAsKeys(Good):
    def predict(self, queries):
        return [{1: 0.5} for _ in queries]


class OwnClass(Good):
    def dump_parameters(self):
        return {"model": self}


class UnknownTags(Good):
    def predict(self, queries):
        return [[17 for _ in tokens] for tokens in queries]


class TooFew(Good):
    def predict(self, queries):
        return [1 for _ in queries[1:]]


class LoadFails(Good):
    def load_parameters(self, params):
        raise KeyError("bias")


class NoPredict(BaseModel):
    @staticmethod
    def get_knob_config():
        return {}

    def train(self, path, shared_params=None):
        pass


class Images(Good):
    """Checks that it gets what a member in service gets."""

    def predict(self, queries):
        assert all(query.dtype == np.uint8 and query.shape[2] == 3 for query in queries)
        return [np.array([0.25, 0.75], np.float32) for _ in queries]
