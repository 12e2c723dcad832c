"""Gradient boosted trees that predict a number of a table's rows, with XGBoost.

python examples/models/tabular_regression/XgbReg.py --train_path data/bodyfat_train.csv \
    --val_path data/bodyfat_val.csv --target bodyfat
"""

import argparse
import json

from sklearn.metrics import r2_score
from xgboost import XGBRegressor

from rafiki.constants import ModelDependency
from rafiki.model import BaseModel, FloatKnob, IntegerKnob, dataset, logger
from rafiki.model.dev import test_model_class
from rafiki.model.tabular_schema import TabularSchema


class XgbReg(BaseModel):
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
        self._trees = XGBRegressor(**knobs, random_state=0)

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        X, y = table.to_matrix(one_hot=True), table.targets
        self._trees.fit(X, y, eval_set=[(X, y)], verbose=False)
        logger.define_plot("Error Over Trees", ["error"], x_axis="n_trees")
        errors = self._trees.evals_result()["validation_0"]["rmse"]
        for n_trees in range(10, len(errors) + 1, 10):
            logger.log(error=errors[n_trees - 1], n_trees=n_trees)

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        return r2_score(table.targets, self._trees.predict(table.to_matrix(one_hot=True)))

    def predict(self, queries):
        return self._trees.predict(self._schema.to_matrix(queries, one_hot=True)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            "trees": bytes(self._trees.get_booster().save_raw("json")),  # XGBoost's own format, no pickle
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._trees.load_model(bytearray(params["trees"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train_path", default="data/bodyfat_train.csv")
    parser.add_argument("--val_path", default="data/bodyfat_val.csv")
    parser.add_argument("--test_path", default=None)
    parser.add_argument("--query_path", default=None, help="a JSON file with a list of rows: objects by column's name")
    parser.add_argument("--features", nargs="+", help="the columns to learn from (all but the target)")
    parser.add_argument("--target", help="the column to predict (the last)")
    args, _ = parser.parse_known_args()  # `test_model_class` reads the others

    queries = [
        {"density": 1.0708, "age": 23, "weight": 154.25, "height": 67.75, "chest": 93.1, "abdomen": 85.2},
        {"density": 1.0340, "age": 57, "weight": 201.0, "height": 70.0, "chest": 105.0, "abdomen": None},
    ]
    if args.query_path:
        with open(args.query_path, encoding="utf-8") as file:
            queries = json.load(file)
    test_model_class(
        model_file_path=__file__,
        model_class="XgbReg",
        task="TABULAR_REGRESSION",
        dependencies={ModelDependency.XGBOOST: "3.2.0"},
        train_dataset_path=args.train_path,
        val_dataset_path=args.val_path,
        test_dataset_path=args.test_path,
        train_args={"features": args.features, "target": args.target},
        queries=queries,
    )
