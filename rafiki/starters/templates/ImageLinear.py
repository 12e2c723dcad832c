"""Logistic regression on the brightness, edges and colours of images."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from rafiki.model import BaseModel, FixedKnob, FloatKnob, dataset, logger


class ImageLinear(BaseModel):
    """Trains in a moment, and is hard to beat where images are few."""

    @staticmethod
    def get_knob_config():
        return {
            "C": FloatKnob(5e-2, 1e1, is_exp=True),  # the larger, the closer it follows the training images
            "max_image_size": FixedKnob(32),
            "max_train_images": FixedKnob(20000),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        images = dataset.load_dataset_of_image_files(
            dataset_path, min_image_size=8, max_image_size=self._knobs["max_image_size"]
        )
        X, y = features_and_classes(images, self._knobs["max_train_images"])
        mean = X.mean(axis=0)
        std = (X - mean).std() or 1.0
        regression = LogisticRegression(C=self._knobs["C"], max_iter=200)
        regression.fit((X - mean) / std, y)
        # The scaling is part of the weights from here on.
        weights = regression.coef_ / std
        self._params = {
            "weights": weights,
            "bias": regression.intercept_ - weights @ mean,
            "classes": regression.classes_,
            "n_classes": images.classes,
            "image_size": images.image_size,
        }
        logger.log("Trained", train_accuracy=np.mean(self._probabilities(X).argmax(axis=1) == y))

    def evaluate(self, dataset_path):
        size = self._params["image_size"]  # all images get the size of those in training
        images = dataset.load_dataset_of_image_files(dataset_path, min_image_size=size, max_image_size=size)
        X, y = features_and_classes(images)
        return np.mean(self._probabilities(X).argmax(axis=1) == y)

    def predict(self, queries):
        if len(queries) == 0:
            return []
        images = dataset.transform_images(queries, image_size=self._params["image_size"], mode="RGB")
        return self._probabilities(features(images)).tolist()

    def dump_parameters(self):
        return self._params

    def load_parameters(self, params):
        self._params = params

    def _probabilities(self, X):
        """One row per image, one column per class number, also for classes without a training image."""
        scores = X @ self._params["weights"].T + self._params["bias"]
        if scores.shape[1] == 1:  # of two classes, the second's alone
            scores = np.hstack([np.zeros_like(scores), scores])
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = np.zeros((len(X), self._params["n_classes"]))
        probabilities[:, self._params["classes"]] = odds / odds.sum(axis=1, keepdims=True)
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
