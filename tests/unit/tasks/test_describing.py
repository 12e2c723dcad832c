"""What pages show of datasets: figures and previews, all of it JSON."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rafiki.model import dataset
from rafiki.tasks import get_task

IMAGES, TAGGING = get_task("IMAGE_CLASSIFICATION"), get_task("POS_TAGGING")
CLASSIFICATION, REGRESSION = get_task("TABULAR_CLASSIFICATION"), get_task("TABULAR_REGRESSION")


def test_images(tmp_path: Path) -> None:
    path = str(tmp_path / "x.zip")
    images = [np.full((8, 4 + i % 2), i, np.uint8) for i in range(20)] + [np.full((400, 200, 3), 20, np.uint8)]
    dataset.write_dataset_of_image_files(path, images, [i // 10 * 2 for i in range(21)])
    stats = IMAGES.stats(path)
    assert json.loads(json.dumps(stats)) == stats
    assert (stats["n_items"], stats["n_classes"], stats["n_image_sizes"]) == (21, 5, 3)
    assert stats["class_counts"] == [{"class": 0, "n": 10}, {"class": 2, "n": 10}, {"class": 4, "n": 1}]
    assert stats["image_sizes"][2] == {"width": 200, "height": 400, "n": 1}

    preview = IMAGES.preview(path, 5)
    assert [item["label"] for item in preview] == [0, 0, 2, 2, 4]
    shown = [Image.open(io.BytesIO(base64.b64decode(item["query"].split(",")[1]))) for item in preview]
    assert all(item["query"].startswith("data:image/png;base64,") for item in preview)
    assert [image.getpixel((0, 0)) for image in shown] == [(i, i, i) for i in (0, 5, 10, 15, 20)]
    assert [image.size for image in shown] == [(4, 8), (5, 8), (4, 8), (5, 8), (48, 96)]
    assert len(IMAGES.preview(path, 1000)) == 21


def test_sentences(tmp_path: Path) -> None:
    path = str(tmp_path / "x.zip")
    dataset.write_dataset_of_corpus(path, [[["a", 0], ["b", 2]], [["a", 2]] * 300])
    assert TAGGING.stats(path) == {
        "n_items": 2,
        "n_tokens": 302,
        "n_distinct_tokens": 2,
        "mean_sentence_length": 151,
        "max_sentence_length": 300,
        "n_classes": 3,
        "class_counts": [{"class": 0, "n": 1}, {"class": 2, "n": 301}],
    }
    first, second = TAGGING.preview(path, 10)
    assert first == {"query": ["a", "b"], "label": [0, 2]}
    assert (len(second["query"]), len(second["label"])) == (200, 200)


@pytest.mark.parametrize("task", [CLASSIFICATION, REGRESSION])
def test_tables(tmp_path: Path, task) -> None:
    path = tmp_path / "x.csv"
    long = "l" * 500
    path.write_text(f"n,b,c,t,empty,target\n1,true,x,{long},,10\n,,y,,,9\n2.5,false,x,,,10\n3,,,,,\n")
    stats = task.stats(str(path))
    assert json.loads(json.dumps(stats, allow_nan=False)) == stats
    assert (stats["n_items"], stats["target"]) == (4, "target")
    by_name = {column.pop("name"): column for column in stats["columns"]}
    assert list(by_name) == ["n", "b", "c", "t", "empty", "target"]
    assert by_name["n"] == {
        "type": "number", "n_missing": 1, "min": 1, "max": 3, "mean": pytest.approx(6.5 / 3), "n_distinct": 3,
    }  # fmt: skip
    assert by_name["b"]["values"] == [{"value": True, "n": 1}, {"value": False, "n": 1}]
    assert by_name["c"] == {
        "type": "category", "n_missing": 1, "n_distinct": 2,
        "values": [{"value": "x", "n": 2}, {"value": "y", "n": 1}],
    }  # fmt: skip
    assert len(by_name["t"]["values"][0]["value"]) == 200
    assert by_name["empty"] == {"type": "number", "n_missing": 4, "n_distinct": 0}
    if task is CLASSIFICATION:
        assert stats["n_classes"] == 2
        assert stats["class_counts"] == [{"class": 0, "value": 9, "n": 1}, {"class": 1, "value": 10, "n": 2}]

    preview = task.preview(str(path), 2)
    assert preview[0]["label"] == 10
    assert preview[0]["query"] == {"n": 1, "b": True, "c": "x", "t": "l" * 197 + "...", "empty": None}
    assert preview[1] == {"query": {"n": 3, "b": None, "c": None, "t": None, "empty": None}, "label": None}


def test_custom_tasks_have_nothing_to_show(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xff\0")
    custom = get_task("MINE")
    custom.check_structure(str(path))
    assert (custom.stats(str(path)), custom.preview(str(path), 5)) == ({}, [])


def test_huge_numbers_stay_json(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1e308,1\n1.7e308,2\n")
    stats = REGRESSION.stats(str(path))
    json.dumps(stats, allow_nan=False)
    assert stats["columns"][0]["mean"] is None
