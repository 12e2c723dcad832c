"""Gradient boosted trees on the columns of a table."""

import pickle

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score

from rafiki.model import BaseModel, FloatKnob, IntegerKnob, dataset, logger
from rafiki.model.tabular_schema import TabularSchema


class TabularBoostingRegressor(BaseModel):
    """Each tree corrects the mistakes of those before it. Missing values and categories need no preparation."""

    @staticmethod
    def get_knob_config():
        return {
            "learning_rate": FloatKnob(0.03, 0.2, is_exp=True),
            "n_rounds": IntegerKnob(50, 200, is_exp=True),
            "max_leaf_nodes": IntegerKnob(3, 16, is_exp=True),
            "min_samples_leaf": IntegerKnob(3, 30, is_exp=True),
            "max_features": FloatKnob(0.2, 1),  # the share of columns that a tree looks at for each split
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        self._boosting = HistGradientBoostingRegressor(
            learning_rate=self._knobs["learning_rate"],
            max_iter=self._knobs["n_rounds"],
            max_leaf_nodes=self._knobs["max_leaf_nodes"],
            min_samples_leaf=self._knobs["min_samples_leaf"],
            max_features=self._knobs["max_features"],
            categorical_features=[
                column.type == "category" for column in table.schema.features if column.type != "text"
            ],
            early_stopping=False,
            random_state=0,
        )
        self._boosting.fit(table.to_matrix(), table.targets)
        logger.log("Trained", train_score=self._boosting.score(table.to_matrix(), table.targets))

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        return r2_score(table.targets, self._values(table.to_matrix()))

    def predict(self, queries):
        return self._values(self._schema.to_matrix(queries)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            # Rafiki never unpickles anything. A template may, what it has pickled itself.
            "boosting": pickle.dumps(self._boosting),
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._boosting = pickle.loads(params["boosting"])

    def _values(self, X):
        return self._boosting.predict(X)
