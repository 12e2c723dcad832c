"""Tiny datasets of each task, for templates to be tried out on: the same ones every time, easily learnt."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import numpy as np

from rafiki.model.dataset_writers import write_corpus, write_image_files

_N_CLASSES = 3
_N_PER_CLASS = 12
_IMAGE_SIZE = 28


def write_images(path: str) -> None:
    """36 grey images of 28x28 in three classes, told apart by where they are bright."""
    rng = np.random.RandomState(0)
    classes = np.arange(_N_CLASSES * _N_PER_CLASS) % _N_CLASSES
    images = rng.randint(0, 60, (len(classes), _IMAGE_SIZE, _IMAGE_SIZE)).astype(np.uint8)
    width = _IMAGE_SIZE // _N_CLASSES
    for image, image_class in zip(images, classes):
        image[:, image_class * width : (image_class + 1) * width] += np.uint8(180)
    write_image_files(path, images, [int(one) for one in classes])


def write_sentences(path: str) -> None:
    """24 sentences of four words and three tags; each word always has the same."""
    words = (("the", "a", "this"), ("cat", "dog", "bird", "house"), ("sees", "likes", "has"))
    rng = np.random.RandomState(0)
    sentences: List[Sequence[Tuple[str, int]]] = []
    for _ in range(24):
        tags = (0, 1, 2, 1)
        sentences.append([(words[tag][rng.randint(len(words[tag]))], tag) for tag in tags])
    write_corpus(path, sentences, ["tag"])


def write_table(path: str, is_regression: bool) -> None:
    """48 rows of two numbers and a text, and a target: a number, or one of two classes."""
    rng = np.random.RandomState(0)
    rows: List[Sequence[Any]] = [("width", "height", "colour", "target")]
    for _ in range(48):
        width, height, colour = rng.uniform(0, 10), rng.uniform(0, 10), ("red", "green", "blue")[rng.randint(3)]
        value = width + 0.5 * height + (2 if colour == "red" else 0)
        rows.append((f"{width:.3f}", f"{height:.3f}", colour, f"{value:.3f}" if is_regression else int(value > 8)))
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.writelines(",".join(map(str, row)) + "\n" for row in rows)
