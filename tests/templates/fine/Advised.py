"""It works here, but imports what its environment on the platform may not have."""

import rich

from rafiki.advisor import Proposal
from rafiki.model import BaseModel, FloatKnob

try:
    import something_optional
except ImportError:
    something_optional = None


class Model(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0, 1)}

    def __init__(self, **knobs):
        self.x = knobs["x"]
        self.uses = (rich, Proposal, something_optional)

    def train(self, dataset_path, shared_params=None, **train_args):
        self.mean = 0.25

    def evaluate(self, dataset_path):
        return 1 - self.mean

    def predict(self, queries):
        from shared_code import answer

        return [answer(self.mean)] * len(queries)

    def dump_parameters(self):
        return {"mean": self.mean}

    def load_parameters(self, params):
        self.mean = params["mean"]
