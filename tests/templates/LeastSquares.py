"""A regression on the columns of a table that needs nothing but NumPy."""

import numpy as np

from rafiki.model import BaseModel, FloatKnob, TabularSchema, dataset


class LeastSquares(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"ridge": FloatKnob(1e-6, 1e-3, is_exp=True)}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._ridge = knobs["ridge"]

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        X = self._with_constant(table.to_matrix(one_hot=True))
        self._weights = np.linalg.solve(X.T @ X + self._ridge * np.eye(X.shape[1]), X.T @ table.targets)

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        errors = self._with_constant(table.to_matrix(one_hot=True)) @ self._weights - table.targets
        return 1 - np.square(errors).mean() / table.targets.var()

    def predict(self, queries):
        return self._with_constant(self._schema.to_matrix(queries, one_hot=True)) @ self._weights

    def dump_parameters(self):
        return {"weights": self._weights, "schema": self._schema.to_json()}

    def load_parameters(self, params):
        self._weights = params["weights"]
        self._schema = TabularSchema.from_json(params["schema"])

    def _with_constant(self, X):
        return np.column_stack((np.ones(len(X)), np.nan_to_num(X)))
