import csv
import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rafiki.errors import InvalidDatasetFormatException
from rafiki.model import dataset
from rafiki.tasks import get_task
from rafiki.tasks.splitting import assign_parts

DATA = Path(os.environ.get("RAFIKI_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
FRACTIONS = (0.7, 0.15, 0.15)


@pytest.fixture
def outs(tmp_path: Path) -> list[str]:
    return [str(tmp_path / "parts" / name) for name in ("train", "val", "holdout")]


class TestAssignment:
    def test_classes_are_spread_as_the_whole(self) -> None:
        labels = ["a"] * 600 + ["b"] * 300 + ["c"] * 97 + ["d"] * 3
        parts = assign_parts(labels, FRACTIONS, seed=1)
        assert [parts.count(part) for part in range(3)] == [700, 150, 150]
        for label, n in Counter(labels).items():
            counts = Counter(part for part, its_label in zip(parts, labels, strict=True) if its_label == label)
            for part, fraction in enumerate(FRACTIONS):
                assert abs(counts[part] - fraction * n) <= 2
            assert counts[0] > 0

    def test_the_seed_decides(self) -> None:
        labels = list(range(5)) * 20
        assert assign_parts(labels, FRACTIONS, 1) == assign_parts(labels, FRACTIONS, 1)
        assert assign_parts(labels, FRACTIONS, 1) != assign_parts(labels, FRACTIONS, 2)
        # Not in the order of the items either: neither the first nor the last ones stay together.
        parts = np.array(assign_parts([0] * 1000, FRACTIONS, 0))
        assert 0.6 < (parts[:500] == 0).mean() < 0.8

    def test_the_first_part_has_every_class_and_none_is_empty(self) -> None:
        parts = assign_parts(list("aaabbbcd"), FRACTIONS, 0)
        assert {label for label, part in zip("aaabbbcd", parts, strict=True) if part == 0} == set("abcd")
        assert sorted(assign_parts([0] * 3, FRACTIONS, 0)) == [0, 1, 2]
        assert Counter(assign_parts(list(range(10)), FRACTIONS, 0)) == {0: 8, 1: 1, 2: 1}
        with pytest.raises(InvalidDatasetFormatException, match="2 items, and cannot be split into 3 parts"):
            assign_parts([0, 1], FRACTIONS, 0)
        for wrong in ((0.7, 0.3, 0.3), (1.2, -0.2), (0.0, 1.0)):
            with pytest.raises(ValueError, match="fractions"):
                assign_parts([0] * 10, wrong, 0)


def test_images_stay_as_they_are(tmp_path: Path, outs: list[str]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 5, 5), dtype=np.uint8)
    path = str(tmp_path / "x.zip")
    dataset.write_dataset_of_image_files(path, images, [i % 3 for i in range(60)])
    with zipfile.ZipFile(path) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    # Another tag column, a quoted cell, two rows of one image, no line's end at the end, an image without a row.
    rows = list(csv.reader(whole["images.csv"].decode().splitlines()))
    lines = ["path,class,note"] + [f'{name},{c},"note, {i}"' for i, (name, c) in enumerate(rows[1:])]
    whole["images.csv"] = "\r\n".join([*lines, lines[1]]).encode()
    whole["images/unused.png"] = b""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in whole.items():
            archive.writestr(name, data)

    task = get_task("IMAGE_CLASSIFICATION")
    assert task.split(path, outs, FRACTIONS, 3) == [43, 9, 9]
    found: list[str] = []
    for out, n in zip(outs, (43, 9, 9), strict=True):
        task.check_dataset(out)
        labels = Counter(label for _, label in task.iterate(out))
        assert sum(labels.values()) == n
        assert len(labels) == 3
        with zipfile.ZipFile(out) as archive:
            for name in set(archive.namelist()) - {"images.csv"}:
                assert archive.read(name) == whole[name]
            header, *others = csv.reader(archive.read("images.csv").decode().splitlines())
            assert header == ["path", "class", "note"]
            assert {row[0] for row in others} == set(archive.namelist()) - {"images.csv"}
            found += [row[2] for row in others]
    assert sorted(found) == sorted([f"note, {i}" for i in range(60)] + ["note, 0"])
    before = [Path(out).read_bytes() for out in outs]
    task.split(path, outs, FRACTIONS, 3)
    assert [Path(out).read_bytes() for out in outs] == before
    assert len(list(Path(outs[0]).parent.iterdir())) == 3


def test_sentences_stay_whole(tmp_path: Path, outs: list[str]) -> None:
    sentences = [[[f"w{i}", 0], ['"', i]] for i in range(40)]
    text = "x\ttoken\ttag\r\n" + "".join(f'5\tw{i}\t0\r\n\r\n7\t"\t{i}\r\n0\t\\n\t\r\n' for i in range(39))
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("corpus.tsv", text + '5\tw39\t0\r\n7\t"\t39')
    assert list(dataset.load_dataset_of_corpus(str(path))) == sentences

    assert get_task("POS_TAGGING").split(str(path), outs, FRACTIONS, 0) == [28, 6, 6]
    parts = [list(dataset.load_dataset_of_corpus(out)) for out in outs]
    assert [len(part) for part in parts] == [28, 6, 6]
    assert sorted(sentence for part in parts for sentence in part) == sorted(sentences)
    assert dataset.load_dataset_of_corpus(outs[0], tags=["x"])[0][1][1] == 7


def test_rows_of_tables_stay_as_they_are(tmp_path: Path, outs: list[str]) -> None:
    rows = [f'"a, ""{i}""\nb",00{i},{"xyz"[i % 3]}' for i in range(40)]
    path = tmp_path / "x.csv"
    path.write_text("\ufefftext,n,t\n" + "\n\n".join(rows), newline="")
    task = get_task("TABULAR_CLASSIFICATION")
    assert task.split(str(path), outs, FRACTIONS, 0) == [28, 6, 6]
    texts = [Path(out).read_text() for out in outs]
    for text in texts:
        assert text.startswith("text,n,t\n")
    found = [row for text in texts for row in rows if row + "\n" in text]
    assert sorted(found) == sorted(rows)
    for out in outs:
        assert Counter(t for _, t in dataset.load_dataset_of_tabular(out)).keys() == {"x", "y", "z"}


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data (or RAFIKI_TEST_DATA)")
@pytest.mark.parametrize(
    ("name", "task", "target", "n"),
    [
        ("titanic", "TABULAR_CLASSIFICATION", "survived", 891),
        ("penguins", "TABULAR_CLASSIFICATION", "species", 344),
        ("bodyfat", "TABULAR_REGRESSION", "BodyFat", 252),
    ],
)
def test_real_tables(outs: list[str], name: str, task: str, target: str, n: int) -> None:
    path = str(DATA / "tabular" / f"{name}.csv")
    counts = get_task(task).split(path, outs, FRACTIONS, 0, {"target": target})
    assert sum(counts) == n
    whole = list(dataset.load_dataset_of_tabular(path, target=target))
    train = dataset.load_dataset_of_tabular(outs[0], target=target)
    parts = [row for out in outs for row in dataset.load_dataset_of_tabular(out, schema=train.schema)]
    assert sorted(map(repr, parts)) == sorted(map(repr, whole))


def test_custom_tasks_cannot_split(tmp_path: Path, outs: list[str]) -> None:
    (tmp_path / "x").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidDatasetFormatException, match="task MINE cannot be split") as error:
        get_task("MINE").split(str(tmp_path / "x"), outs, FRACTIONS, 0)
    assert error.value.hint == "give a dataset for validation too"
