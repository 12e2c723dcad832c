"""A neural network with one hidden layer on the columns of a table."""

import json
import re
import warnings
from collections import Counter

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor

from rafiki.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, TabularSchema, dataset, logger


class TabularMlpRegressor(BaseModel):
    """Its training time grows with the number of rows only as far as `max_rows_seen` says."""

    @staticmethod
    def get_knob_config():
        return {
            "n_hidden": IntegerKnob(8, 64, is_exp=True),
            "alpha": FloatKnob(1e-1, 1e1, is_exp=True),  # the larger, the smaller the weights are kept
            "max_rows_seen": FixedKnob(500000),  # over all epochs
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
        self._mean, self._spread = float(table.targets.mean()), float(table.targets.std() or 1)
        network = self._fit(scale(X, self._scaling), (table.targets - self._mean) / self._spread)
        self._weights = network.coefs_
        self._biases = network.intercepts_

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
            "mean": self._mean,
            "spread": self._spread,
            "hidden_weights": self._weights[0],
            "hidden_bias": self._biases[0],
            "weights": self._weights[1],
            "bias": self._biases[1],
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._words = json.loads(params["words"])
        self._scaling = params["scaling"]
        self._mean, self._spread = params["mean"], params["spread"]
        self._weights = [params["hidden_weights"], params["weights"]]
        self._biases = [params["hidden_bias"], params["bias"]]

    def _fit(self, X, y):
        n_epochs = max(1, min(200, self._knobs["max_rows_seen"] // len(X)))
        network = MLPRegressor(
            hidden_layer_sizes=[self._knobs["n_hidden"]],
            alpha=self._knobs["alpha"],
            solver="lbfgs" if len(X) < 2000 else "adam",  # the better one where rows are few
            learning_rate_init=3e-3,
            max_iter=n_epochs,
            random_state=0,
        )
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant to end it
        network.fit(X, y)
        logger.log("Trained", loss=network.loss_)
        return network

    def _matrix(self, table):
        return with_words(table.to_matrix(one_hot=True), self._words, table.columns)

    def _values(self, X):
        hidden = np.maximum(scale(X, self._scaling) @ self._weights[0] + self._biases[0], 0)
        return (hidden @ self._weights[1] + self._biases[1])[:, 0] * self._spread + self._mean


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
