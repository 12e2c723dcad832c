"""A support vector machine on the columns of a table."""

import json
import pickle
import re
from collections import Counter

import numpy as np
from sklearn.svm import SVC

from rafiki.model import BaseModel, FixedKnob, FloatKnob, TabularSchema, dataset, logger


class TabularSvmClassifier(BaseModel):
    """Strong on a few thousand rows; its training time grows with the square of their number."""

    @staticmethod
    def get_knob_config():
        return {
            "C": FloatKnob(0.3, 30, is_exp=True),
            "gamma": FloatKnob(0.2, 2, is_exp=True),  # in multiples of 1 / number of columns
            "max_train_rows": FixedKnob(5000),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        self._words = find_words(table)
        self._class_values = self._all_class_values = table.class_values
        chosen = np.random.default_rng(0).permutation(table.size)[: self._knobs["max_train_rows"]]
        X, y = self._matrix(table)[chosen], table.class_numbers()[chosen]
        self._scaling = fit_scaling(X)
        X = scale(X, self._scaling)
        self._svm = SVC(C=self._knobs["C"], gamma=self._knobs["gamma"] / X.shape[1])
        self._steepness = self._learn_steepness(X, y)
        self._svm.fit(X, y)
        logger.log("Trained", n_support_vectors=len(self._svm.support_), steepness=self._steepness)

    def evaluate(self, dataset_path):
        table = dataset.load_dataset_of_tabular(dataset_path, schema=self._schema)
        # A class is its place among the classes of all data: those without a row in training count.
        self._all_class_values = dataset.merge_class_values(self._all_class_values, table.class_values)
        y = table.class_numbers(self._all_class_values)
        return np.mean(self._probabilities(self._matrix(table)).argmax(axis=1) == y)

    def predict(self, queries):
        if len(queries) == 0:
            return []
        X = self._schema.to_matrix(queries, one_hot=True)
        texts = {name: [query.get(name) for query in queries] for name in self._words}
        return self._probabilities(with_words(X, self._words, texts)).tolist()

    def dump_parameters(self):
        return {
            "schema": self._schema.to_json(),
            "words": json.dumps(self._words),
            "class_values": json.dumps([self._class_values, self._all_class_values]),
            "scaling": self._scaling,
            "steepness": self._steepness,
            # Rafiki never unpickles anything. A template may, what it has pickled itself.
            "svm": pickle.dumps(self._svm),
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._words = json.loads(params["words"])
        self._class_values, self._all_class_values = json.loads(params["class_values"])
        self._scaling = params["scaling"]
        self._steepness = params["steepness"]
        self._svm = pickle.loads(params["svm"])

    def _learn_steepness(self, X, y):
        """How sure to be, learnt from a fifth of the rows by a machine that has not seen them."""
        n_unseen = len(X) // 5
        if n_unseen == 0 or len(np.unique(y[n_unseen:])) == 1:
            return 1.0
        self._svm.fit(X[n_unseen:], y[n_unseen:])
        return best_steepness(self._margins(X[:n_unseen]), self._svm.classes_, y[:n_unseen])

    def _margins(self, X):
        margins = self._svm.decision_function(X)
        return np.column_stack([-margins, margins]) if margins.ndim == 1 else margins

    def _matrix(self, table):
        return with_words(table.to_matrix(one_hot=True), self._words, table.columns)

    def _probabilities(self, X):
        """One row per row of the table, one column per class, also for classes without a row in training."""
        probabilities = softmax(self._steepness * self._margins(scale(X, self._scaling)))
        return dataset.spread_probabilities(probabilities, self._class_values, self._all_class_values)


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


def softmax(scores):
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def best_steepness(margins, classes, y):
    """What to multiply margins by, so that their softmax makes the true classes `y` the most likely."""
    is_known = np.isin(y, classes)
    margins, columns = margins[is_known], np.searchsorted(classes, y[is_known])
    candidates = np.geomspace(0.1, 30, 50)
    rows = np.arange(len(margins))
    likelihoods = [np.log(softmax(one * margins)[rows, columns] + 1e-12).sum() for one in candidates]
    return float(candidates[int(np.argmax(likelihoods))])
