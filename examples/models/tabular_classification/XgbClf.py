"""Gradient boosted trees that tell the class of a table's rows, with XGBoost.

python examples/models/tabular_classification/XgbClf.py --train_path data/titanic_train.csv \
    --val_path data/titanic_val.csv --target Survived
"""

import argparse
import json

import numpy as np
from xgboost import XGBClassifier

from rafiki.constants import ModelDependency
from rafiki.model import BaseModel, FloatKnob, IntegerKnob, dataset, logger
from rafiki.model.dev import test_model_class
from rafiki.model.tabular_schema import TabularSchema


class XgbClf(BaseModel):
    """Each tree corrects the mistakes of those before it. What is missing in a row needs no preparation."""

    @staticmethod
    def get_knob_config():
        return {
            "n_estimators": IntegerKnob(20, 300, is_exp=True),
            "max_depth": IntegerKnob(2, 8),
            "learning_rate": FloatKnob(1e-2, 3e-1, is_exp=True),
            "min_child_weight": IntegerKnob(1, 10),
            "gamma": FloatKnob(0.0, 1.0),
            "subsample": FloatKnob(0.5, 1.0),
            "colsample_bytree": FloatKnob(0.3, 1.0),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._trees = XGBClassifier(**knobs, random_state=0)

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        self._class_values = self._all_class_values = table.class_values
        X, y = table.to_matrix(one_hot=True), table.class_numbers()
        self._trees.fit(X, y, eval_set=[(X, y)], verbose=False)
        logger.define_plot("Loss Over Trees", ["loss"], x_axis="n_trees")
        (losses,) = self._trees.evals_result()["validation_0"].values()
        for n_trees in range(10, len(losses) + 1, 10):
            logger.log(loss=losses[n_trees - 1], n_trees=n_trees)

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        # A class is its place among the classes of all data: those without a row in training count.
        self._all_class_values = dataset.merge_class_values(self._all_class_values, table.class_values)
        y = table.class_numbers(self._all_class_values)
        return np.mean(self._probabilities(table.to_matrix(one_hot=True)).argmax(axis=1) == y)

    def predict(self, queries):
        if len(queries) == 0:
            return []
        return self._probabilities(self._schema.to_matrix(queries, one_hot=True)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            "class_values": json.dumps([self._class_values, self._all_class_values]),
            "trees": bytes(self._trees.get_booster().save_raw("json")),  # XGBoost's own format, no pickle
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._class_values, self._all_class_values = json.loads(params["class_values"])
        self._trees.load_model(bytearray(params["trees"]))

    def _probabilities(self, X):
        """One row per row of the table, one column per class, also for classes without a row in training."""
        # Of a single class, too, XGBoost gives the probabilities of two.
        probabilities = self._trees.predict_proba(X)[:, : len(self._class_values)]
        return dataset.spread_probabilities(probabilities, self._class_values, self._all_class_values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train_path", default="data/titanic_train.csv")
    parser.add_argument("--val_path", default="data/titanic_val.csv")
    parser.add_argument("--test_path", default=None)
    parser.add_argument("--query_path", default=None, help="a JSON file with a list of rows: objects by column's name")
    parser.add_argument("--features", nargs="+", help="the columns to learn from (all but the target)")
    parser.add_argument("--target", help="the column to predict (the last)")
    args, _ = parser.parse_known_args()  # `test_model_class` reads the others

    queries = [
        {"Pclass": 1, "Sex": "female", "Age": 16.0, "SibSp": 0, "Parch": 1, "Fare": 39.4, "Embarked": "S"},
        {"Pclass": 3, "Sex": "male", "Age": None, "SibSp": 0, "Parch": 0, "Fare": 7.75, "Embarked": "Q"},
    ]
    if args.query_path:
        with open(args.query_path, encoding="utf-8") as file:
            queries = json.load(file)
    test_model_class(
        model_file_path=__file__,
        model_class="XgbClf",
        task="TABULAR_CLASSIFICATION",
        dependencies={ModelDependency.XGBOOST: "3.2.0"},
        train_dataset_path=args.train_path,
        val_dataset_path=args.val_path,
        test_dataset_path=args.test_path,
        train_args={"features": args.features, "target": args.target},
        queries=queries,
    )
