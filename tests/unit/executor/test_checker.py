"""The processes that read users' datasets: what they find, and that none of them harms whoever asked."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rafiki.executor import Checker, CheckFailed, checker
from rafiki.settings import Settings

IMAGES = "IMAGE_CLASSIFICATION"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", dataset_check_time_limit_s=30.0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """40 images of 6 x 6, of two classes; each has its number as its colour."""
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        rows = [f"{i}.png,{i % 2}" for i in range(40)]
        archive.writestr("images.csv", "\n".join(["path,class", *rows]))
        for i in range(40):
            data = io.BytesIO()
            Image.new("RGB", (6, 6), (i, i, i)).save(data, "PNG")
            archive.writestr(f"{i}.png", data.getvalue())
    return path


async def test_a_split_is_stratified_and_the_same_for_the_same_seed(
    settings: Settings, images: Path, tmp_path: Path
) -> None:
    one = await Checker(settings).split(IMAGES, images, tmp_path / "one", 7, None)
    assert {part: file.n_items for part, file in one.items()} == {"train": 28, "val": 6, "holdout": 6}
    again = await Checker(settings).split(IMAGES, images, tmp_path / "again", 7, None)
    other = await Checker(settings).split(IMAGES, images, tmp_path / "other", 8, None)
    for part, file in one.items():
        assert again[part].path.read_bytes() == file.path.read_bytes()
        assert other[part].path.read_bytes() != file.path.read_bytes()
    val = await Checker(settings).check_whole(IMAGES, one["val"].path)
    assert [of_class["n"] for of_class in val.stats["class_counts"]] == [3, 3]


async def test_a_sample_is_of_decoded_queries_with_their_labels(
    settings: Settings, images: Path, tmp_path: Path
) -> None:
    sample = await Checker(settings).sample(IMAGES, images, [images], None, tmp_path / "s", 7, 10, 10**6)
    assert len(sample.queries) == len(sample.labels) == 10
    for query, label in zip(sample.queries, sample.labels, strict=True):
        assert (query.shape, query.dtype) == ((6, 6, 3), np.uint8)
        assert query[0, 0, 0] % 2 == label
    numbers = [int(query[0, 0, 0]) for query in sample.queries]
    assert len(set(numbers)) == 10
    assert numbers != sorted(numbers)  # in random order: where time is over, what was asked for is a sample too


async def test_a_sample_is_bounded_by_its_size(settings: Settings, images: Path, tmp_path: Path) -> None:
    one_image = 6 * 6 * 3
    sample = await Checker(settings).sample(IMAGES, images, [], None, tmp_path / "s", 7, 500, 5 * one_image)
    assert len(sample.queries) == 5


async def test_every_item_is_as_likely_to_be_in_a_sample(settings: Settings) -> None:
    import random

    from rafiki.worker.checker import _choose

    chance = random.Random(1)
    items = [({"x": i}, i) for i in range(20)]
    counts = Counter(label for _ in range(2000) for _, label in _choose(iter(items), chance, 5, 10**6))
    assert all(abs(counts[i] - 500) < 100 for i in range(20))


async def test_what_is_wrong_is_said_without_our_paths(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "0f3a"
    path.write_bytes(b"no zip")
    with pytest.raises(CheckFailed) as refused:
        await Checker(settings).check_structure(IMAGES, path)
    assert refused.value.failure.code == "INVALID_DATASET"
    assert "the dataset" in refused.value.failure.message
    assert str(tmp_path) not in refused.value.failure.message


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("print('nonsense')", "PROTOCOL", "JSONDecodeError"),
        ("print('[]')", "PROTOCOL", "list"),
        ("print('{}')", "PROTOCOL", "KeyError"),
        ('print(\'{"result": {"stats": 3}}\')', "PROTOCOL", "int"),
        ("print('[' * 10**6)", "PROTOCOL", ""),
        ("import sys; sys.exit('out of luck')", "EXITED", "out of luck"),
        ("import os; os.kill(os.getpid(), 9)", "KILLED", "signal 9"),
        ("import time; time.sleep(60)", "TIME_LIMIT", "longer than"),
        ("while True: print('x' * 10**6)", "TIME_LIMIT", "longer than"),
    ],
)
async def test_a_checker_gone_wrong_is_no_more_than_a_failure(
    settings: Settings, images: Path, monkeypatch: pytest.MonkeyPatch, program: str, code: str, said: str
) -> None:
    limit_s = 0.5 if code == "TIME_LIMIT" else 30.0
    hasty = settings.model_copy(update={"dataset_check_time_limit_s": limit_s})
    monkeypatch.setattr(checker, "_command", lambda order: [sys.executable, "-c", program])
    with pytest.raises(CheckFailed) as failed:
        await Checker(hasty).check_whole(IMAGES, images)
    assert failed.value.failure.code == code
    assert said in failed.value.failure.message


@pytest.mark.parametrize("kind", ["link", "pipe", "garbage", "nothing"])
async def test_a_file_of_queries_that_is_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "queries"
    if kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "garbage":
        path.write_bytes(b"garbage" * 100)
    with pytest.raises(CheckFailed) as failed:
        checker._read_queries(path)
    assert failed.value.failure.code == "PROTOCOL"


async def test_no_checker_outlives_who_asked(
    settings: Settings, images: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    off = settings.model_copy(update={"confinement": "off"})  # to know its pid
    monkeypatch.setattr(checker, "_command", lambda order: [sys.executable, "-c", program])
    loop, said = asyncio.get_running_loop(), asyncio.Event()
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)  # waits for nobody
    loop.add_reader(reader, said.set)
    asking = asyncio.create_task(Checker(off).check_structure(IMAGES, images))
    saying = asyncio.create_task(said.wait())
    await asyncio.wait({asking, saying}, return_when=asyncio.FIRST_COMPLETED)
    assert not asking.done(), asking.exception()
    loop.remove_reader(reader)
    pid = int(os.read(reader, 20))
    os.close(reader)
    asking.cancel()
    await asyncio.wait({asking})
    assert not Path(f"/proc/{pid}").exists()
