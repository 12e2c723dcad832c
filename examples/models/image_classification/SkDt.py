"""A decision tree on the pixels of images.

python examples/models/image_classification/SkDt.py --train_path data/digits_train.zip --val_path data/digits_val.zip
"""

import argparse
import pickle

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from rafiki.constants import ModelDependency
from rafiki.model import BaseModel, CategoricalKnob, FixedKnob, IntegerKnob, dataset, logger
from rafiki.model.dev import test_model_class


class SkDt(BaseModel):
    """Fast to train, and a good sign of how hard a dataset is."""

    @staticmethod
    def get_knob_config():
        return {
            "max_depth": IntegerKnob(2, 32),
            "criterion": CategoricalKnob(["gini", "entropy"]),
            # Fixed knobs are not searched, but whoever runs a job can see them.
            "max_image_size": FixedKnob(32),
            "image_mode": FixedKnob("L"),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._max_image_size = knobs["max_image_size"]
        self._image_mode = knobs["image_mode"]
        self._tree = DecisionTreeClassifier(max_depth=knobs["max_depth"], criterion=knobs["criterion"], random_state=0)

    def train(self, dataset_path, shared_params=None, **train_args):
        images = dataset.load_dataset_of_image_files(
            dataset_path, max_image_size=self._max_image_size, mode=self._image_mode
        )
        self._image_size = images.image_size
        self._n_classes = images.classes
        X, y = self._features_and_classes(images)
        self._tree.fit(X, y)
        logger.log("Trained", train_accuracy=self._tree.score(X, y), n_leaves=self._tree.get_n_leaves())

    def evaluate(self, dataset_path):
        # All images get the size of those in training.
        images = dataset.load_dataset_of_image_files(
            dataset_path, min_image_size=self._image_size, max_image_size=self._image_size, mode=self._image_mode
        )
        X, y = self._features_and_classes(images)
        return float(np.mean(self._probabilities(X).argmax(axis=1) == y))

    def predict(self, queries):
        if len(queries) == 0:
            return []
        X = dataset.transform_images(queries, image_size=self._image_size, mode=self._image_mode)
        return self._probabilities(X.reshape(len(X), -1)).tolist()

    def dump_parameters(self):
        # Rafiki never unpickles anything. A template may, what it has pickled itself.
        return {
            "tree": pickle.dumps(self._tree),
            "image_size": self._image_size,
            "n_classes": self._n_classes,
        }

    def load_parameters(self, params):
        self._tree = pickle.loads(params["tree"])
        self._image_size = params["image_size"]
        self._n_classes = params["n_classes"]

    def _features_and_classes(self, images):
        X, y = zip(*images)
        return np.reshape(X, (len(X), -1)), np.array(y)

    def _probabilities(self, X):
        """One row per image, one column per class number, also for classes without a training image."""
        leaf_sizes = self._tree.tree_.n_node_samples[self._tree.apply(X)].reshape(-1, 1)
        # Laplace's correction: a leaf with one training image does not make a certainty. It leaves the most probable
        # class as it is, and lets the other members of an ensemble have their say.
        counts = np.ones((len(X), self._n_classes))
        counts[:, self._tree.classes_] += self._tree.predict_proba(X) * leaf_sizes
        return counts / (leaf_sizes + self._n_classes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train_path", default="data/fashion_mnist_train.zip")
    parser.add_argument("--val_path", default="data/fashion_mnist_val.zip")
    parser.add_argument("--test_path", default="data/fashion_mnist_test.zip")
    parser.add_argument(
        "--query_path",
        default="examples/data/image_classification/fashion_mnist_test_1.png,"
        "examples/data/image_classification/fashion_mnist_test_2.png",
        help="images, separated by commas",
    )
    args, _ = parser.parse_known_args()  # `test_model_class` reads the others

    queries = dataset.load_images(args.query_path.split(",")).tolist()
    test_model_class(
        model_file_path=__file__,
        model_class="SkDt",
        task="IMAGE_CLASSIFICATION",
        dependencies={ModelDependency.SCIKIT_LEARN: "1.9.1"},
        train_dataset_path=args.train_path,
        val_dataset_path=args.val_path,
        test_dataset_path=args.test_path,
        queries=queries,
    )
