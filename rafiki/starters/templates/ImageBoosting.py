"""Gradient boosted trees on the brightness, edges and colours of images."""

import pickle

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from rafiki.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, dataset, logger


class ImageBoosting(BaseModel):
    """Each tree corrects the mistakes of those before it."""

    @staticmethod
    def get_knob_config():
        return {
            "learning_rate": FloatKnob(0.08, 0.3, is_exp=True),
            "max_leaf_nodes": IntegerKnob(6, 16, is_exp=True),
            "max_features": FloatKnob(0.05, 0.3, is_exp=True),  # the share that a tree looks at for each split
            "l2_regularization": FloatKnob(3e-2, 3, is_exp=True),
            "max_trees": FixedKnob(400),  # over all classes
            "max_image_size": FixedKnob(32),
            "max_train_images": FixedKnob(20000),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        knobs = self._knobs
        images = dataset.load_dataset_of_image_files(
            dataset_path, min_image_size=8, max_image_size=knobs["max_image_size"]
        )
        self._image_size = images.image_size
        self._n_classes = images.classes
        X, y = features_and_classes(images, knobs["max_train_images"])
        # A round is a tree per class.
        n_rounds = max(10, min(100, knobs["max_trees"] // self._n_classes))
        self._boosting = HistGradientBoostingClassifier(
            max_iter=n_rounds,
            learning_rate=knobs["learning_rate"],
            max_leaf_nodes=knobs["max_leaf_nodes"],
            max_features=knobs["max_features"],
            l2_regularization=knobs["l2_regularization"],
            min_samples_leaf=5,
            max_bins=32,
            early_stopping=False,
            random_state=0,
        )
        self._boosting.fit(X, y)
        logger.log("Trained", n_rounds=n_rounds)

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
            "boosting": pickle.dumps(self._boosting),
            "image_size": self._image_size,
            "n_classes": self._n_classes,
        }

    def load_parameters(self, params):
        self._boosting = pickle.loads(params["boosting"])
        self._image_size = params["image_size"]
        self._n_classes = params["n_classes"]

    def _probabilities(self, X):
        """One row per image, one column per class number, also for classes without a training image."""
        probabilities = np.zeros((len(X), self._n_classes))
        probabilities[:, self._boosting.classes_] = self._boosting.predict_proba(X)
        return probabilities


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
