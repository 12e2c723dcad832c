"""Gradient boosted trees on the columns of a table."""

import json
import pickle

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from rafiki.model import BaseModel, FloatKnob, IntegerKnob, dataset, logger
from rafiki.model.tabular_schema import TabularSchema


class TabularBoostingClassifier(BaseModel):
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
        self._class_values = self._all_class_values = table.class_values
        self._boosting = HistGradientBoostingClassifier(
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
        self._boosting.fit(table.to_matrix(), table.class_numbers())
        logger.log("Trained", train_score=self._boosting.score(table.to_matrix(), table.class_numbers()))

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        # A class is its place among the classes of all data: those without a row in training count.
        self._all_class_values = dataset.merge_class_values(self._all_class_values, table.class_values)
        y = table.class_numbers(self._all_class_values)
        return np.mean(self._probabilities(table.to_matrix()).argmax(axis=1) == y)

    def predict(self, queries):
        return self._probabilities(self._schema.to_matrix(queries)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            "class_values": json.dumps([self._class_values, self._all_class_values]),
            # Rafiki never unpickles anything. A template may, what it has pickled itself.
            "boosting": pickle.dumps(self._boosting),
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._class_values, self._all_class_values = json.loads(params["class_values"])
        self._boosting = pickle.loads(params["boosting"])

    def _probabilities(self, X):
        """One row per row of the table, one column per class, also for classes without a row in training."""
        probabilities = self._boosting.predict_proba(X)
        return dataset.spread_probabilities(probabilities, self._class_values, self._all_class_values)
