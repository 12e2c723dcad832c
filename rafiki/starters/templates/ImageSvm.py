"""A support vector machine on the brightness, edges and colours of images."""

import pickle

import numpy as np
from sklearn.svm import SVC

from rafiki.model import BaseModel, FixedKnob, FloatKnob, dataset, logger


class ImageSvm(BaseModel):
    """The strongest on a few thousand small images; its training time grows with the square of their number."""

    @staticmethod
    def get_knob_config():
        return {
            "C": FloatKnob(3, 100, is_exp=True),
            "gamma": FloatKnob(0.3, 2, is_exp=True),  # in multiples of 1 / number of features
            "max_image_size": FixedKnob(32),
            "max_train_images": FixedKnob(10000),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        images = dataset.load_dataset_of_image_files(
            dataset_path, min_image_size=8, max_image_size=self._knobs["max_image_size"]
        )
        self._image_size = images.image_size
        self._n_classes = images.classes
        X, y = features_and_classes(images, self._knobs["max_train_images"])
        self._mean = X.mean(axis=0)
        self._std = float((X - self._mean).std() or 1.0)
        X = self._scaled(X)
        self._svm = SVC(C=self._knobs["C"], gamma=self._knobs["gamma"] / X.shape[1], cache_size=500)
        self._steepness = self._learn_steepness(X, y)
        self._svm.fit(X, y)
        logger.log("Trained", n_support_vectors=len(self._svm.support_), steepness=self._steepness)

    def evaluate(self, dataset_path):
        size = self._image_size  # all images get the size of those in training
        images = dataset.load_dataset_of_image_files(dataset_path, min_image_size=size, max_image_size=size)
        X, y = features_and_classes(images)
        return np.mean(self._probabilities(X).argmax(axis=1) == y)

    def predict(self, queries):
        if len(queries) == 0:
            return []
        images = dataset.transform_images(queries, image_size=self._image_size, mode="RGB")
        return self._probabilities(features(images)).tolist()

    def dump_parameters(self):
        # Rafiki never unpickles anything. A template may, what it has pickled itself.
        return {
            "svm": pickle.dumps(self._svm),
            "steepness": self._steepness,
            "mean": self._mean,
            "std": self._std,
            "image_size": self._image_size,
            "n_classes": self._n_classes,
        }

    def load_parameters(self, params):
        self._svm = pickle.loads(params["svm"])
        self._steepness = params["steepness"]
        self._mean = params["mean"]
        self._std = params["std"]
        self._image_size = params["image_size"]
        self._n_classes = params["n_classes"]

    def _learn_steepness(self, X, y):
        """How sure to be, learnt from a fifth of the images by a machine that has not seen them."""
        n_unseen = len(X) // 5
        if n_unseen == 0 or len(np.unique(y[n_unseen:])) == 1:
            return 1.0
        self._svm.fit(X[n_unseen:], y[n_unseen:])
        return best_steepness(self._margins(X[:n_unseen]), self._svm.classes_, y[:n_unseen])

    def _scaled(self, X):
        return (X - self._mean) / self._std

    def _margins(self, X):
        margins = self._svm.decision_function(X)
        return np.column_stack([-margins, margins]) if margins.ndim == 1 else margins

    def _probabilities(self, X):
        """One row per image, one column per class number, also for classes without a training image."""
        probabilities = np.zeros((len(X), self._n_classes))
        probabilities[:, self._svm.classes_] = softmax(self._steepness * self._margins(self._scaled(X)))
        return probabilities


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


def features_and_classes(images, max_images=None):
    """Of all images of a dataset, or of `max_images` drawn at random."""
    chosen = np.random.default_rng(0).permutation(len(images))[:max_images]
    return features(np.stack([images[i][0] for i in chosen])), np.array([images[i][1] for i in chosen])


def features(images):
    """Images of bytes, N x size x size x 3, as one row of numbers each. Some hundreds at a time, to spare memory."""
    return np.concatenate([_features(images[i : i + 500]) for i in range(0, len(images), 500)])


def _features(images):
    """Brightness, edges in eight directions, and colour: each as the means over the cells of a grid."""
    colours = images.astype(np.float32) / 255
    grey = colours.mean(axis=3)
    dy, dx = np.gradient(grey, axis=(1, 2))
    edges = [np.maximum(dx * np.cos(angle) + dy * np.sin(angle), 0) for angle in np.arange(8) * np.pi / 4]
    tints = [colours[..., 0] - grey, colours[..., 2] - grey]
    size = grey.shape[1]
    # Edges and tints are several times smaller numbers than brightness, and say as much.
    maps = [_cells(grey, min(16, size)), *(6 * _cells(of, min(8, size // 2)) for of in edges + tints)]
    return np.concatenate([cells.reshape(len(images), -1) for cells in maps], axis=1)


def _cells(of, n):
    """Means over the n x n cells of each N x size x size map."""
    starts = np.arange(n) * of.shape[1] // n
    widths = np.diff(starts, append=of.shape[1])
    return np.add.reduceat(np.add.reduceat(of, starts, axis=1), starts, axis=2) / np.outer(widths, widths)
