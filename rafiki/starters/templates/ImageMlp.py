"""A neural network with one hidden layer on the brightness, edges and colours of images."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from rafiki.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, dataset, logger


class ImageMlp(BaseModel):
    """Its training time grows with the number of images only as far as `max_images_seen` says."""

    @staticmethod
    def get_knob_config():
        return {
            "n_hidden": IntegerKnob(64, 256, is_exp=True),
            "learning_rate": FloatKnob(1e-3, 6e-3, is_exp=True),
            "alpha": FloatKnob(3e-2, 3, is_exp=True),  # the larger, the smaller the weights are kept
            "max_epochs": FixedKnob(50),
            "max_images_seen": FixedKnob(500000),  # over all epochs
            "max_image_size": FixedKnob(32),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        images = dataset.load_dataset_of_image_files(
            dataset_path, min_image_size=8, max_image_size=self._knobs["max_image_size"]
        )
        X, y = features_and_classes(images)
        mean = X.mean(axis=0)
        std = (X - mean).std() or 1.0
        network = self._fit((X - mean) / std, y)
        self._params = {
            "mean": mean,
            "std": std,
            "hidden_weights": network.coefs_[0],
            "hidden_bias": network.intercepts_[0],
            "weights": network.coefs_[1],
            "bias": network.intercepts_[1],
            "classes": network.classes_,
            "n_classes": images.classes,
            "image_size": images.image_size,
        }

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

    def _fit(self, X, y):
        n_epochs = self._knobs["max_images_seen"] // len(X)
        network = MLPClassifier(
            [self._knobs["n_hidden"]],
            learning_rate_init=self._knobs["learning_rate"],
            alpha=self._knobs["alpha"],
            max_iter=max(1, min(self._knobs["max_epochs"], n_epochs)),
            random_state=0,
        )
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant to end it
        network.fit(X, y)
        logger.define_loss_plot()
        for epoch, loss in enumerate(network.loss_curve_):
            logger.log_loss(loss, epoch)
        return network

    def _probabilities(self, X):
        """One row per image, one column per class number, also for classes without a training image."""
        params = self._params
        hidden = np.maximum((X - params["mean"]) / params["std"] @ params["hidden_weights"] + params["hidden_bias"], 0)
        scores = hidden @ params["weights"] + params["bias"]
        if scores.shape[1] == 1:  # of two classes, the second's alone
            scores = np.hstack([np.zeros_like(scores), scores])
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = np.zeros((len(X), params["n_classes"]))
        probabilities[:, params["classes"]] = odds / odds.sum(axis=1, keepdims=True)
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
