"""Small datasets of each task: easy to learn, and with all that real ones are full of."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.model import dataset

Paths = dict[str, dict[str, str]]  # by task, then by `train` and `val`
ROWS = {"train": 90, "val": 30}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    folder = tmp_path_factory.mktemp("tiny")
    random = np.random.default_rng(0)
    makers = {
        "IMAGE_CLASSIFICATION": write_images,
        "TABULAR_CLASSIFICATION": write_classes,
        "TABULAR_REGRESSION": write_numbers,
        "POS_TAGGING": write_sentences,
    }
    paths: Paths = {}
    for task, write in makers.items():
        for part, n in ROWS.items():
            path = folder / f"{task}_{part}"
            write(path, n, random)
            paths.setdefault(task, {})[part] = str(path)
    return paths


def write_images(path: Path, n: int, random: Any) -> None:
    """A bright bar, upright (0), level (1) or none (3): no image is of class 2."""
    images, classes = [], []
    for i in range(n):
        image = random.integers(0, 60, (10, 12, 3)).astype(np.uint8)
        place = int(random.integers(2, 8))
        if i % 3 == 0:
            image[:, place : place + 2] = 230
        elif i % 3 == 1:
            image[place : place + 2] = 230
        images.append(image)
        classes.append((0, 1, 3)[i % 3])
    dataset.write_dataset_of_image_files(str(path), images, classes)


def write_classes(path: Path, n: int, random: Any) -> None:
    """Which side of a line; the class `maybe`, between the two others, is in validation data alone."""
    rows = [row(random) for _ in range(n)]
    targets = ["yes" if one["x"] + one["shift"] > 0.5 else "no" for one in rows]
    if path.name.endswith("val"):
        targets[0] = "maybe"
    write_table(path, rows, targets)


def write_numbers(path: Path, n: int, random: Any) -> None:
    rows = [row(random) for _ in range(n)]
    write_table(path, rows, [1000 * (one["x"] + one["shift"]) for one in rows])


def row(random: Any) -> dict[str, Any]:
    colour = str(random.choice(["red", "green", "blue"]))
    return {
        "x": float(random.uniform(-1, 1)),
        "shift": {"red": 1.0, "green": 0.5, "blue": 0.0}[colour],
        "colour": colour,
        "noise": float(random.normal()) if random.random() < 0.8 else "",
        "always": 1,
        "name": f"Mr. {random.integers(10**9)}",
        "is_new": str(random.choice(["true", "false", ""])),
    }


def write_table(path: Path, rows: list[dict[str, Any]], targets: list[Any]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        names = [name for name in rows[0] if name != "shift"]
        writer.writerow(["target", *names])
        writer.writerows([target, *(one[name] for name in names)] for target, one in zip(targets, rows, strict=True))


def write_sentences(path: Path, n: int, random: Any) -> None:
    """0: article, 1: noun, 2: verb, 3: punctuation. `-s` ends nouns, `-ed` verbs."""
    words = {0: ["the", "a"], 1: ["cats", "dogs", "birds", "'"], 2: ["walked", "jumped", "talked"], 3: [".", '"']}
    sentences = [[[str(random.choice(words[tag])), tag] for tag in (0, 1, 2, 0, 1, 3)] for _ in range(n)]
    dataset.write_dataset_of_corpus(str(path), sentences)
