"""Ridge regression on the columns of a table, and on products of two of them."""

import json
import re
from collections import Counter

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from rafiki.model import BaseModel, CategoricalKnob, FixedKnob, FloatKnob, TabularSchema, dataset, logger


class TabularLinearRegressor(BaseModel):
    """Trains in a moment; its weights can be read."""

    @staticmethod
    def get_knob_config():
        return {
            "alpha": FloatKnob(1e-1, 1e2, is_exp=True),  # the larger, the smaller the weights are kept
            "has_products": CategoricalKnob([True, False]),
            "max_products": FixedKnob(500),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        self._words = find_words(table)
        X = self._matrix(table)
        self._scaling = fit_scaling(X)
        terms = self._terms(X)
        # More terms have to do with weights that are as much smaller.
        regression = Ridge(alpha=self._knobs["alpha"] * terms.shape[1] / X.shape[1])
        regression.fit(terms, table.targets)
        self._weights = regression.coef_
        self._bias = float(regression.intercept_)
        logger.log("Trained", n_terms=len(self._weights))

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        return r2_score(table.targets, self._values(self._matrix(table)))

    def predict(self, queries):
        X = self._schema.to_matrix(queries, one_hot=True)
        texts = {name: [query.get(name) for query in queries] for name in self._words}
        return self._values(with_words(X, self._words, texts)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            "words": json.dumps(self._words),
            "scaling": self._scaling,
            "weights": self._weights,
            "bias": self._bias,
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._words = json.loads(params["words"])
        self._scaling = params["scaling"]
        self._weights = params["weights"]
        self._bias = params["bias"]

    def _terms(self, X):
        scaled = scale(X, self._scaling)
        return with_products(scaled, self._knobs["max_products"]) if self._knobs["has_products"] else scaled

    def _matrix(self, table):
        return with_words(table.to_matrix(one_hot=True), self._words, table.columns)

    def _values(self, X):
        return self._terms(X) @ self._weights + self._bias


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


def with_products(X, n_max):
    """The columns, and the product of each two of them, unless these would be more than `n_max`."""
    first, second = np.triu_indices(X.shape[1])
    return X if len(first) > n_max else np.hstack([X, X[:, first] * X[:, second]])
