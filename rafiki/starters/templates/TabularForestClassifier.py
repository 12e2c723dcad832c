"""A forest of random trees on the columns of a table."""

import json
import pickle
import re
import zlib
from collections import Counter

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from rafiki.model import BaseModel, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, TabularSchema, dataset, logger

KINDS = {"extra": ExtraTreesClassifier, "random": RandomForestClassifier}


class TabularForestClassifier(BaseModel):
    """Each tree sees other rows and other columns; they vote. Missing values are one more way to go."""

    @staticmethod
    def get_knob_config():
        return {
            "kind": CategoricalKnob(list(KINDS)),
            "max_features": FloatKnob(0.2, 1, is_exp=True),  # the share of columns that a tree looks at for each split
            "min_samples_leaf": IntegerKnob(1, 6, is_exp=True),
            "n_trees": FixedKnob(100),
            "max_rows_per_tree": FixedKnob(10000),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, features=None, target=None, **train_args):
        table = dataset.load_dataset_of_tabular(dataset_path, features, target)
        self._schema = table.schema
        self._words = find_words(table)
        self._class_values = self._all_class_values = table.class_values
        X, y = self._matrix(table), table.class_numbers()
        is_large = len(X) > self._knobs["max_rows_per_tree"]
        self._forest = KINDS[self._knobs["kind"]](
            self._knobs["n_trees"],
            max_features=self._knobs["max_features"],
            min_samples_leaf=self._knobs["min_samples_leaf"],
            bootstrap=is_large or self._knobs["kind"] == "random",
            max_samples=self._knobs["max_rows_per_tree"] if is_large else None,
            random_state=0,
        )
        self._forest.fit(X, y)
        logger.log("Trained", mean_depth=np.mean([tree.get_depth() for tree in self._forest.estimators_]))

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
            # Rafiki never unpickles anything. A template may, what it has pickled itself.
            "forest": zlib.compress(pickle.dumps(self._forest), 1),
        }

    def load_parameters(self, params):
        self._schema = TabularSchema.from_json(params["schema"])
        self._words = json.loads(params["words"])
        self._class_values, self._all_class_values = json.loads(params["class_values"])
        self._forest = pickle.loads(zlib.decompress(params["forest"]))

    def _matrix(self, table):
        return with_words(table.to_matrix(one_hot=True), self._words, table.columns)

    def _probabilities(self, X):
        """One row per row of the table, one column per class, also for classes without a row in training."""
        probabilities = self._forest.predict_proba(X)
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
