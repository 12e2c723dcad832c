"""A support vector machine on the columns of a table."""

import json
import pickle
import re
from collections import Counter

import numpy as np
from sklearn.metrics import r2_score
from sklearn.svm import SVR

from rafiki.model import BaseModel, FixedKnob, FloatKnob, TabularSchema, dataset, logger


class TabularSvmRegressor(BaseModel):
    """Strong on a few thousand rows; its training time grows with the square of their number."""

    @staticmethod
    def get_knob_config():
        return {
            "C": FloatKnob(1, 1000, is_exp=True),
            "gamma": FloatKnob(0.01, 1, is_exp=True),  # in multiples of 1 / number of columns
            "epsilon": FloatKnob(1e-3, 0.3, is_exp=True),  # errors below it do not count, in spreads of the target
            "max_train_rows": FixedKnob(5000),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        self._words = find_words(table)
        chosen = np.random.default_rng(0).permutation(table.size)[: self._knobs["max_train_rows"]]
        X, y = self._matrix(table)[chosen], table.targets[chosen]
        self._scaling = fit_scaling(X)
        self._mean, self._spread = float(y.mean()), float(y.std() or 1)
        self._svm = SVR(
            C=self._knobs["C"],
            gamma=self._knobs["gamma"] / X.shape[1],
            epsilon=self._knobs["epsilon"],
            max_iter=200000,
        )
        self._svm.fit(scale(X, self._scaling), (y - self._mean) / self._spread)
        logger.log("Trained", n_support_vectors=len(self._svm.support_))

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        return r2_score(table.targets, self._values(self._matrix(table)))

    def predict(self, queries):
        if len(queries) == 0:
            return []
        X = self._schema.to_matrix(queries, one_hot=True)
        texts = {name: [query.get(name) for query in queries] for name in self._words}
        return self._values(with_words(X, self._words, texts)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            "words": json.dumps(self._words),
            "scaling": self._scaling,
            "mean": self._mean,
            "spread": self._spread,
            # Rafiki never unpickles anything. A template may, what it has pickled itself.
            "svm": pickle.dumps(self._svm),
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._words = json.loads(params["words"])
        self._scaling = params["scaling"]
        self._mean, self._spread = params["mean"], params["spread"]
        self._svm = pickle.loads(params["svm"])

    def _matrix(self, table):
        return with_words(table.to_matrix(one_hot=True), self._words, table.columns)

    def _values(self, X):
        return self._svm.predict(scale(X, self._scaling)) * self._spread + self._mean


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


def fit_scaling(X):
    """What stands in for missing values, and the mean and spread of each column."""
    fills = [np.median(column[~np.isnan(column)]) if not np.isnan(column).all() else 0 for column in X.T]
    filled = np.where(np.isnan(X), fills, X)
    spreads = filled.std(axis=0)
    return np.stack([fills, filled.mean(axis=0), np.where(spreads == 0, 1, spreads)])


def scale(X, scaling):
    """Columns of about the same size, without holes. What is far out is drawn in."""
    fills, means, spreads = scaling
    return np.clip((np.where(np.isnan(X), fills, X) - means) / spreads, -5, 5)
