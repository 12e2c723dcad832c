"""A support vector machine on the normalised pixels of images.

python examples/models/image_classification/SkSvm.py --train_path data/digits_train.zip --val_path data/digits_val.zip
"""

import argparse
import pickle

import numpy as np
from sklearn.svm import SVC

from rafiki.constants import ModelDependency
from rafiki.model import BaseModel, CategoricalKnob, FixedKnob, FloatKnob, dataset, logger
from rafiki.model.dev import test_model_class


class SkSvm(BaseModel):
    """Strong on a few thousand small images; its training time grows with the square of their number."""

    @staticmethod
    def get_knob_config():
        return {
            "C": FloatKnob(1e-1, 1e3, is_exp=True),
            "kernel": CategoricalKnob(["rbf", "linear"]),
            # In multiples of 1 / number of pixels.
            "gamma": FloatKnob(1e-1, 1e1, is_exp=True),
            "max_image_size": FixedKnob(32),
            "image_mode": FixedKnob("L"),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        images = dataset.load_dataset_of_image_files(
            dataset_path, max_image_size=self._knobs["max_image_size"], mode=self._knobs["image_mode"]
        )
        self._image_size = images.image_size
        self._n_classes = images.classes
        X, y = zip(*images)
        X, self._mean, self._std = dataset.normalize_images(X)
        X = X.reshape(len(X), -1)

        knobs = self._knobs
        self._svm = SVC(C=knobs["C"], kernel=knobs["kernel"], gamma=knobs["gamma"] / X.shape[1], random_state=0)
        self._svm.fit(X, y)
        logger.log("Trained", train_accuracy=self._svm.score(X, y), n_support_vectors=len(self._svm.support_))

    def evaluate(self, dataset_path):
        # All images get the size of those in training.
        images = dataset.load_dataset_of_image_files(
            dataset_path,
            min_image_size=self._image_size,
            max_image_size=self._image_size,
            mode=self._knobs["image_mode"],
        )
        X, y = zip(*images)
        return float(np.mean(self._probabilities(X).argmax(axis=1) == y))

    def predict(self, queries):
        if len(queries) == 0:
            return []
        X = dataset.transform_images(queries, image_size=self._image_size, mode=self._knobs["image_mode"])
        return self._probabilities(X).tolist()

    def dump_parameters(self):
        return {
            "svm": pickle.dumps(self._svm),
            "mean": np.array(self._mean),
            "std": np.array(self._std),
            "image_size": self._image_size,
            "n_classes": self._n_classes,
        }

    def load_parameters(self, params):
        self._svm = pickle.loads(params["svm"])
        self._mean = params["mean"]
        self._std = params["std"]
        self._image_size = params["image_size"]
        self._n_classes = params["n_classes"]

    def _probabilities(self, images):
        """One row per image, one column per class number, also for classes without a training image."""
        X, _, _ = dataset.normalize_images(images, self._mean, self._std)
        margins = self._svm.decision_function(X.reshape(len(X), -1))
        if margins.ndim == 1:  # of two classes, the second's alone
            margins = np.column_stack((-margins, margins))
        # A softmax, three times as steep: on validation images of digits and of clothes the least at which a weaker
        # member of an ensemble does not outvote this one. (scikit-learn's own calibration trains five more times.)
        votes = np.exp(3 * (margins - margins.max(axis=1, keepdims=True)))
        probabilities = np.zeros((len(X), self._n_classes))
        probabilities[:, self._svm.classes_] = votes / votes.sum(axis=1, keepdims=True)
        return probabilities


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
        model_class="SkSvm",
        task="IMAGE_CLASSIFICATION",
        dependencies={ModelDependency.SCIKIT_LEARN: "1.9.1"},
        train_dataset_path=args.train_path,
        val_dataset_path=args.val_path,
        test_dataset_path=args.test_path,
        queries=queries,
    )
