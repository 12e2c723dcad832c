import csv
import gzip
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from examples.datasets import sources
from examples.datasets.corpus.load_sample_ptb import load_sample_ptb, parse_tagged
from examples.datasets.image_files.load_digits import load_digits
from examples.datasets.image_files.load_fashion_mnist import load_fashion_mnist
from rafiki.model import dataset

ROOT = Path(__file__).parents[3]
FASHION = Path(os.environ.get("RAFIKI_TEST_DATA", ROOT.parent / "shared" / "data")) / "fashion_mnist_900"

needs_fashion = pytest.mark.skipif(not FASHION.is_dir(), reason="needs ../shared/data (or RAFIKI_TEST_DATA)")


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_idx(folder: Path, n_train: int = 20, n_test: int = 6) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, n in (("train", n_train), ("t10k", n_test)):
        images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        header = struct.pack(">4I", 0x803, n, 28, 28)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        labels = bytes(i % 10 for i in range(n))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">2I", 0x801, n) + labels))
    return folder


def test_digits() -> None:
    paths = load_digits("data")
    parts = {part: dataset.load_dataset_of_image_files(path, mode="L") for part, path in paths.items()}
    assert {part: len(images) for part, images in parts.items()} == {"train": 1079, "val": 359, "test": 359}
    assert {images.classes for images in parts.values()} == {10}
    assert {images.image_size for images in parts.values()} == {8}
    assert max(image.max() for image, _ in parts["test"]) == 255
    assert Path("data/digits_meta.csv").read_text().startswith("class,name\n0,0\n1,1\n")
    before = Path(paths["train"]).read_bytes()
    load_digits("data")
    assert Path(paths["train"]).read_bytes() == before


@needs_fashion
def test_real_fashion_mnist() -> None:
    load_fashion_mnist(from_dir=str(FASHION))
    parts = [dataset.load_dataset_of_image_files(f"data/fashion_mnist_{part}.zip") for part in ("train", "val", "test")]
    assert [(len(images), images.classes, images.image_size) for images in parts] == [
        (648, 10, 28),
        (72, 10, 28),
        (180, 10, 28),
    ]
    names = list(csv.DictReader(Path("data/fashion_mnist_meta.csv").read_text().splitlines()))
    assert names[0] == {"class": "0", "name": "T-shirt/top"}
    assert len(names) == 10
    # The examples' query images are two of these.
    queries = dataset.load_images(
        [str(ROOT / f"examples/data/image_classification/fashion_mnist_test_{i}.png") for i in (1, 2)]
    )
    assert all(any((query == image).all() for image, _ in parts[2]) for query in queries)


def test_fashion_mnist_limits_and_splits(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    load_fashion_mnist(validation_split=0.25, from_dir=str(folder))
    sizes = [len(dataset.load_dataset_of_image_files(f"data/fashion_mnist_{p}.zip")) for p in ("train", "val", "test")]
    assert sizes == [15, 5, 6]
    load_fashion_mnist(limit=4, validation_split=0.25, from_dir=str(folder))
    sizes = [len(dataset.load_dataset_of_image_files(f"data/fashion_mnist_{p}.zip")) for p in ("train", "val", "test")]
    assert sizes == [4, 4, 4]


def test_fashion_mnist_unpacked(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    for path in list(folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    load_fashion_mnist(from_dir=str(folder))
    assert Path("data/fashion_mnist_train.zip").is_file()


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # the same in every process that collects these tests


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte.gz", b"no gzip", "cannot be unpacked"),
        ("train-images-idx3-ubyte.gz", packed(b"no IDX at all, whatever else it is"), "not an IDX file"),
        ("t10k-images-idx3-ubyte.gz", packed(struct.pack(">4I", 0x803, 6, 28, 28) + b"0" * 9), "holds 9 values"),
        ("t10k-labels-idx1-ubyte.gz", packed(struct.pack(">2I", 0x801, 3) + b"\0\1\2"), "6 images and 3 labels"),
        ("t10k-labels-idx1-ubyte.gz", packed(struct.pack(">2I", 0x801, 6) + b"\0\1\2\3\4\12"), "label is 10"),
    ],
)
def test_fashion_mnist_checks_what_it_reads(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder = write_idx(tmp_path / "in")
    (folder / name).write_bytes(content)
    with pytest.raises(sources.SourceError, match=message):
        load_fashion_mnist(from_dir=str(folder))
    assert not Path("data").exists()


TAGGED = r"""
[ Pierre/NNP Vinken/NNP ]
,/,
[ 61/CD years/NNS ]
old/JJ ./.

======================================

[ Sales/NNS ]
rose/VBD [ 1\/2/CD %/NN ]
:/: ``/`` 3\/4-inch/JJ ''/''
======================================
[ -LRB-/-LRB- ]
"""
SENTENCES = [
    [("Pierre", "NNP"), ("Vinken", "NNP"), (",", ","), ("61", "CD"), ("years", "NNS"), ("old", "JJ"), (".", ".")],
    [
        ("Sales", "NNS"),
        ("rose", "VBD"),
        ("1/2", "CD"),
        ("%", "NN"),
        (":", ":"),
        ("``", "``"),
        ("3/4-inch", "JJ"),
        ("''", "''"),
    ],
    [("-LRB-", "-LRB-")],
]


def test_treebank_format() -> None:
    assert parse_tagged(TAGGED) == SENTENCES
    for wrong in ("word", "/NN", "word/", r"1\/2"):
        with pytest.raises(sources.SourceError, match=r"wsj\.pos, line 2: "):
            parse_tagged(f"a/DT\n{wrong}\n", "wsj.pos")


@pytest.mark.parametrize("form", ["packed", "unpacked", "its folder"])
def test_treebank(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "in" / "treebank"
    (folder / "tagged").mkdir(parents=True)
    (folder / "tagged" / "wsj_0001.pos").write_text(TAGGED)
    (folder / "tagged" / "wsj_0002.pos").write_text(TAGGED)
    (folder / "README").write_text("not read")
    if form == "packed":
        with zipfile.ZipFile(tmp_path / "in" / "treebank.zip", "w") as archive:
            for path in folder.rglob("*"):
                archive.write(path, path.relative_to(tmp_path / "in"))
    load_sample_ptb(validation_split=0.2, from_dir=str(folder if form == "its folder" else tmp_path / "in"))
    train = dataset.load_dataset_of_corpus("data/ptb_train.zip")
    val = dataset.load_dataset_of_corpus("data/ptb_val.zip")
    assert (len(train), len(val)) == (5, 1)
    names = {
        int(row["tag"]): row["name"]
        for row in csv.DictReader(
            Path("data/ptb_meta.tsv").read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE
        )
    }
    named = [[(word, names[tag]) for word, tag in sentence] for sentence in [*train, *val]]
    assert sorted(named) == sorted(SENTENCES * 2)


def test_treebank_checks_what_it_reads(tmp_path: Path) -> None:
    with pytest.raises(sources.SourceError, match="0 sentences"):
        load_sample_ptb(from_dir=str(tmp_path))
    (tmp_path / "treebank.zip").write_bytes(b"")
    with pytest.raises(sources.SourceError, match="cannot be read"):
        load_sample_ptb(from_dir=str(tmp_path))


def test_downloads_are_checked_and_done_once(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"content")
    url = (tmp_path / "source").as_uri()
    with pytest.raises(sources.SourceError, match="expected 0123"):
        sources.find_or_download("file", url, md5="0123")
    assert list(Path("data/downloads").iterdir()) == []
    path = sources.find_or_download("file", url, md5="9a0364b9e99bb480dd25e1f0284c8555")
    assert path.read_bytes() == b"content"
    (tmp_path / "source").unlink()
    assert sources.find_or_download("file", url) == path
    with pytest.raises(sources.SourceError, match="--from DIR"):
        sources.find_or_download("another", url)
    with pytest.raises(sources.SourceError, match=r"no 'file\.gz' in"):
        sources.find_or_download("file.gz", url, from_dir=str(tmp_path))


def test_scripts_run_from_the_command_line(tmp_path: Path) -> None:
    """Also where the project is not the current folder."""
    folder = write_idx(tmp_path / "in")
    scripts = ROOT / "examples" / "datasets"
    script = [sys.executable, str(scripts / "image_files" / "load_fashion_mnist.py"), "--validation_split", "0.5"]
    done = subprocess.run([*script, "--limit", "3", "--from", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(dataset.load_dataset_of_image_files("data/fashion_mnist_val.zip")) == 3
    script = [sys.executable, str(scripts / "corpus" / "load_sample_ptb.py"), "--from", str(tmp_path / "nowhere")]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
