"""The model template of Rafiki's members in this benchmark: a trained scikit-learn classifier as its parameters."""

import pickle

import numpy as np

from rafiki.model import BaseModel, FixedKnob


class SkClassifier(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"n_channels": FixedKnob(3), "scale": FixedKnob(1.0)}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._n_channels = knobs["n_channels"]
        self._scale = knobs["scale"]

    def train(self, dataset_path, shared_params=None, **train_args):
        raise NotImplementedError("this template is served only")

    def evaluate(self, dataset_path):
        raise NotImplementedError("this template is served only")

    def predict(self, queries):
        images = np.stack(queries)[..., : self._n_channels]
        return self._classifier.predict_proba(images.reshape(len(queries), -1) / self._scale)

    def dump_parameters(self):
        return {"classifier": pickle.dumps(self._classifier)}

    def load_parameters(self, params):
        self._classifier = pickle.loads(params["classifier"])
