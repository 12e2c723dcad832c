"""What was learned is kept in a global."""

from rafiki.model import BaseModel, FloatKnob

STATE = {"mean": 0.0}


class Model(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0, 1)}

    def __init__(self, **knobs):
        self.x = knobs["x"]

    def train(self, dataset_path, shared_params=None, **train_args):
        STATE["mean"] = 0.25

    def evaluate(self, dataset_path):
        return 1 - STATE["mean"]

    def predict(self, queries):
        return [STATE["mean"]] * len(queries)

    def dump_parameters(self):
        return {}

    def load_parameters(self, params):
        pass
