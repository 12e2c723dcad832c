"""A feed-forward neural network on the pixels of images, with Keras of TensorFlow.

python examples/models/image_classification/TfFeedForward.py --train_path data/digits_train.zip \
    --val_path data/digits_val.zip
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow is talkative; it reads this when it is imported

import numpy as np
import tensorflow as tf

from rafiki.constants import ModelDependency
from rafiki.model import BaseModel, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob, dataset, logger
from rafiki.model.dev import test_model_class


class TfFeedForward(BaseModel):
    """One to three hidden layers. Its loss can be watched, epoch by epoch, while it trains."""

    @staticmethod
    def get_knob_config():
        return {
            "n_hidden_layers": IntegerKnob(1, 3),
            "n_hidden_units": IntegerKnob(16, 256, is_exp=True),
            "learning_rate": FloatKnob(1e-4, 1e-2, is_exp=True),
            "batch_size": CategoricalKnob([16, 32, 64, 128]),
            "max_epochs": FixedKnob(40),
            "max_image_size": FixedKnob(32),
            "image_mode": FixedKnob("L"),
            # On while knobs are searched; off when the best found are trained fully, at the end.
            "early_stop": PolicyKnob("EARLY_STOP"),
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
        X, y = X.reshape(len(X), -1), np.array(y)

        tf.keras.utils.set_random_seed(0)
        self._network = self._build_network(X.shape[1])
        self._network.compile(
            optimizer=tf.keras.optimizers.Adam(self._knobs["learning_rate"]), loss="sparse_categorical_crossentropy"
        )
        logger.define_loss_plot()
        callbacks = [tf.keras.callbacks.LambdaCallback(on_epoch_end=self._log_epoch)]
        held_out = None
        if self._knobs["early_stop"] and len(y) >= 10:
            # Every tenth image is not learned from: when it is those that get worse, it is enough.
            is_held_out = np.random.default_rng(0).permutation(len(y)) % 10 == 0
            held_out = (X[is_held_out], y[is_held_out])
            X, y = X[~is_held_out], y[~is_held_out]
            logger.define_plot("Early Stop Over Epochs", ["early_stop_loss"], x_axis="epoch")
            callbacks.append(tf.keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True))
        self._network.fit(
            X,
            y,
            batch_size=self._knobs["batch_size"],
            epochs=self._knobs["max_epochs"],
            validation_data=held_out,
            callbacks=callbacks,
            verbose=0,
        )

    def evaluate(self, dataset_path):
        # All images get the size of those in training.
        images = dataset.load_dataset_of_image_files(
            dataset_path,
            min_image_size=self._image_size,
            max_image_size=self._image_size,
            mode=self._knobs["image_mode"],
        )
        X, y = zip(*images)
        return np.mean(self._probabilities(X).argmax(axis=1) == y)

    def predict(self, queries):
        if len(queries) == 0:
            return []
        X = dataset.transform_images(queries, image_size=self._image_size, mode=self._knobs["image_mode"])
        return self._probabilities(X).tolist()

    def dump_parameters(self):
        weights = self._network.get_weights()
        return {
            **{f"weights_{i}": of_layer for i, of_layer in enumerate(weights)},
            "mean": np.array(self._mean),
            "std": np.array(self._std),
            "image_size": self._image_size,
            "n_classes": self._n_classes,
        }

    def load_parameters(self, params):
        self._image_size = params["image_size"]
        self._n_classes = params["n_classes"]
        self._mean = params["mean"]
        self._std = params["std"]
        self._network = self._build_network(len(params["weights_0"]))
        self._network.set_weights([params[f"weights_{i}"] for i in range(len(self._network.weights))])

    def destroy(self):
        tf.keras.backend.clear_session()  # Keras keeps something of every network, and a worker trains many

    def _build_network(self, n_pixels):
        knobs = self._knobs
        layers = tf.keras.layers
        hidden = [layers.Dense(knobs["n_hidden_units"], activation="relu") for _ in range(knobs["n_hidden_layers"])]
        output = layers.Dense(self._n_classes, activation="softmax")
        return tf.keras.Sequential([tf.keras.Input((n_pixels,)), *hidden, output])

    def _log_epoch(self, epoch, logs):
        logger.log_loss(logs["loss"], epoch)
        if "val_loss" in logs:
            logger.log(early_stop_loss=logs["val_loss"], epoch=epoch)

    def _probabilities(self, images):
        """One row per image, one column per class number."""
        X, _, _ = dataset.normalize_images(images, self._mean, self._std)
        # `self._network.predict` is made for many batches of data: each call of it costs some 50 ms.
        return self._network(X.reshape(len(X), -1), training=False).numpy()


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
        model_class="TfFeedForward",
        task="IMAGE_CLASSIFICATION",
        dependencies={ModelDependency.TENSORFLOW: "2.21.0"},
        train_dataset_path=args.train_path,
        val_dataset_path=args.val_path,
        test_dataset_path=args.test_path,
        queries=queries,
    )
