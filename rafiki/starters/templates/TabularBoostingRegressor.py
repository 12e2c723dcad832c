"""Gradient boosted trees on the columns of a table."""

import json
import pickle
import re
from collections import Counter

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score

from rafiki.model import BaseModel, FloatKnob, IntegerKnob, TabularSchema, dataset, logger


class TabularBoostingRegressor(BaseModel):
    """Each tree corrects the mistakes of those before it. Missing values and categories need no preparation."""

    @staticmethod
    def get_knob_config():
        return {
            "learning_rate": FloatKnob(0.03, 0.15, is_exp=True),
            "n_rounds": IntegerKnob(50, 150, is_exp=True),
            "max_leaf_nodes": IntegerKnob(3, 12, is_exp=True),
            "min_samples_leaf": IntegerKnob(5, 30, is_exp=True),
            "max_features": FloatKnob(0.2, 1),  # the share of columns that a tree looks at for each split
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        self._words = find_words(table)
        kinds = [column.type for column in table.schema.features if column.type != "text"]
        self._boosting = HistGradientBoostingRegressor(
            learning_rate=self._knobs["learning_rate"],
            max_iter=self._knobs["n_rounds"],
            max_leaf_nodes=self._knobs["max_leaf_nodes"],
            min_samples_leaf=self._knobs["min_samples_leaf"],
            max_features=self._knobs["max_features"],
            categorical_features=[i for i, kind in enumerate(kinds) if kind == "category"],
            early_stopping=False,
            random_state=0,
        )
        X, y = self._matrix(table), table.targets
        X[:, np.isnan(X).all(axis=0)] = 0  # a column without any value tells nothing, and cannot be split
        self._boosting.fit(X, y)
        logger.log("Trained", train_score=self._boosting.score(X, y))

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        return r2_score(table.targets, self._values(self._matrix(table)))

    def predict(self, queries):
        if len(queries) == 0:
            return []
        X = self._schema.to_matrix(queries)
        texts = {name: [query.get(name) for query in queries] for name in self._words}
        return self._values(with_words(X, self._words, texts)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            "words": json.dumps(self._words),
            # Rafiki never unpickles anything. A template may, what it has pickled itself.
            "boosting": pickle.dumps(self._boosting),
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._words = json.loads(params["words"])
        self._boosting = pickle.loads(params["boosting"])

    def _matrix(self, table):
        return with_words(table.to_matrix(), self._words, table.columns)

    def _values(self, X):
        return self._boosting.predict(X)


def find_words(table):
    """The words that are in many rows of a text column, by column."""
    found = {}
    for column in table.schema.features:
        if column.type == "text":
            rows = words_of(table.columns[column.name])
            counts = Counter(word for words in rows for word in words)
            found[column.name] = sorted(word for word in counts if counts[word] >= 0.03 * len(rows))
    return {name: words for name, words in found.items() if words}


def words_of(texts):
    return [set(re.findall(r"\w+", str(text or "").lower())) for text in texts]


def with_words(X, words, texts):
    """The columns, and one of 0 and 1 for each of the words: whether it is in the row's text."""
    for name in words:
        found = [[word in row for word in words[name]] for row in words_of(texts[name])]
        X = np.hstack([X, np.reshape(found, (len(X), len(words[name])))])
    if X.shape[1] == 0:
        raise ValueError("all columns are texts with no words in common, of which this model can make nothing")
    return X
