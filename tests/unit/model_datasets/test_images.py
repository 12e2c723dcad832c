import contextlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rafiki.model import (
    DatasetUtils,
    InvalidDatasetFormatException,
    dataset,
    dataset_images,
    image_archive,
    image_decoding,
)

from .conftest import png


def test_gives_images_and_classes(ten_images: str) -> None:
    images = dataset.load_dataset_of_image_files(ten_images)
    assert (images.size, len(images), images.classes, images.image_size, images.path) == (10, 10, 3, 6, ten_images)
    assert all(type(n) is int for n in (images.size, images.classes, images.image_size))
    image, image_class = images[4]
    assert image.dtype == np.uint8
    assert image.shape == (6, 6, 3)
    assert (image == 80).all()
    assert (image_class, type(image_class)) == (1, int)
    assert [c for _, c in images] == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert (images[-1][0] == 180).all()
    with pytest.raises(IndexError):
        images[10]


def test_images_can_be_written_to_and_the_dataset_stays(ten_images: str, tmp_path: Path) -> None:
    utils = DatasetUtils()
    for cache_dir in (None, str(tmp_path / "cache")):
        utils.set_cache_dir(cache_dir)
        image, _ = utils.load_dataset_of_image_files(ten_images)[1]
        image += 1
        assert (utils.load_dataset_of_image_files(ten_images)[1][0] == 20).all()


def test_grey_mode_has_no_channel_axis(ten_images: str) -> None:
    assert dataset.load_dataset_of_image_files(ten_images, mode="L")[0][0].shape == (6, 6)
    assert dataset.load_dataset_of_image_files(ten_images, mode="RGBA")[0][0].shape == (6, 6, 4)


@pytest.mark.parametrize(
    ("first", "min_size", "max_size", "side"),
    [((8, 5), None, None, 5), ((8, 5), None, 3, 3), ((8, 5), 7, None, 7), ((8, 5), 9, 3, 9), ((5, 8), 2, 20, 5)],
)
def test_side_follows_the_first_image(make_zip, first, min_size, max_size, side) -> None:
    path = make_zip({"a.png": png(*first), "b.png": png(30, 2), "images.csv": "path,class\na.png,0\nb.png,1\n"})
    images = dataset.load_dataset_of_image_files(path, min_image_size=min_size, max_image_size=max_size)
    assert images.image_size == side
    assert [image.shape for image, _ in images] == [(side, side, 3)] * 2


def test_shuffling_keeps_pairs_together(ten_images: str) -> None:
    np.random.seed(1)
    images = dataset.load_dataset_of_image_files(ten_images, if_shuffle=True)
    values = [(int(image[0, 0, 0]), c) for image, c in images]
    assert sorted(values) == [(i * 20, i % 3) for i in range(10)]
    assert [v for v, _ in values] != [i * 20 for i in range(10)]
    assert [int(images[i][0][0, 0, 0]) for i in range(10)] == [v for v, _ in values]


def test_largest_class_counts_even_where_smaller_ones_lack_images(make_zip) -> None:
    path = make_zip({"a.png": png(), "images.csv": "path,class\na.png,7\n"})
    assert dataset.load_dataset_of_image_files(path).classes == 8


def test_reads_what_spreadsheets_write(make_zip) -> None:
    csv = '\ufeffname,class,path,notes\r\n"a, b",1,"x/a.JPG","of\r\ntwo lines"\r\n\r\nc,0,./b.png,\r\n'
    jpeg = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 255, 255)).save(jpeg, "JPEG")
    path = make_zip({"x/a.JPG": jpeg.getvalue(), "b.png": png(), "images.csv": csv.encode()})
    images = dataset.load_dataset_of_image_files(path)
    assert [c for _, c in images] == [1, 0]
    assert (images[0][0] == 255).all()


def test_16_bit_grey_is_scaled(make_zip) -> None:
    data = io.BytesIO()
    Image.fromarray(np.full((3, 3), 0x80FF, np.uint16)).save(data, "PNG")
    path = make_zip({"a.png": data.getvalue(), "images.csv": "path,class\na.png,0\n"})
    assert (dataset.load_dataset_of_image_files(path, mode="L")[0][0] == 0x80).all()


BROKEN = {
    "no index": ({"a.png": b""}, ["data.zip", "images.csv", "root"]),
    "index in a folder": ({"x/images.csv": "path,class\n"}, ["'x/images.csv'", "root"]),
    "empty index": ({"images.csv": ""}, ["images.csv, row 1", "'path'"]),
    "no rows": ({"images.csv": "path,class\n"}, ["no rows"]),
    "no class column": ({"images.csv": "path,label\na.png,1\n"}, ["images.csv, row 1", "'class'", "'label'"]),
    "no path column": ({"images.csv": "class\n1\n"}, ["images.csv, row 1", "'path'"]),
    "class is a word": ({"images.csv": "path,class\na.png,0\na.png,cat\n"}, ["row 3", "'class'", "'cat'", "integer"]),
    "class is negative": ({"images.csv": "path,class\na.png,-1\n"}, ["row 2", "'class'", "'-1'"]),
    "class is a fraction": ({"images.csv": "path,class\na.png,1.5\n"}, ["row 2", "'class'", "'1.5'"]),
    "class is missing": ({"images.csv": "path,class\na.png,\n"}, ["row 2", "'class'", "''"]),
    "class is huge": ({"images.csv": f"path,class\na.png,{10**30}\n"}, ["row 2", "'class'"]),
    "class is in Arabic digits": ({"images.csv": "path,class\na.png,٣\n"}, ["row 2", "'class'"]),
    "short row": ({"images.csv": "path,class\na.png\n"}, ["row 2", "'class'", "1 value"]),
    "image is missing": ({"images.csv": "path,class\nb.png,0\n"}, ["row 2", "'path'", "'b.png'"]),
    "not an image": ({"a.png": b"GIF89a", "images.csv": "path,class\na.png,0\n"}, ["row 2", "'a.png'", "PNG or JPEG"]),
    "truncated image": ({"a.png": png(64, 64)[:-40], "images.csv": "path,class\na.png,0\n"}, ["row 2", "'a.png'"]),
    "other kind of file": ({"a.gif": b"", "images.csv": "path,class\na.gif,0\n"}, ["row 2", "'path'", ".jpeg"]),
    "path leads out": ({"images.csv": "path,class\n../a.png,0\n"}, ["row 2", "'path'", "inside the archive"]),
    "path is absolute": ({"images.csv": "path,class\n/etc/a.png,0\n"}, ["row 2", "'path'", "relative"]),
    "NUL": ({"images.csv": "path,class\na.png,0\nb\0.png,0\n"}, ["images.csv, row 3", "NUL"]),
    "other encoding": ({"images.csv": "path,class\na.png,0\né.png,0\n".encode("latin1")}, ["row 3", "UTF-8"]),
    "UTF-16": ({"images.csv": "path,class\n".encode("utf-16")}, ["row 1", "UTF-8"]),
    "open quote": ({"images.csv": 'path,class\n"a.png,0\n'}, ["images.csv, row 2", "never closed"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_says_what_is_wrong_and_where(make_zip, case: str) -> None:
    members, expected = BROKEN[case]
    path = make_zip({"a.png": png(), **members})
    with pytest.raises(InvalidDatasetFormatException) as error:
        dataset.load_dataset_of_image_files(path)
    for part in ["data.zip", *expected]:
        assert part in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"path,class\n", b"PK\x05\x06" + b"\xff" * 18])
def test_not_a_zip(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(content)
    with pytest.raises(InvalidDatasetFormatException, match=r"zip|images\.csv"):
        dataset.load_dataset_of_image_files(str(path))


def test_damaged_archives_never_end_in_another_error(ten_images: str, tmp_path: Path) -> None:
    intact = Path(ten_images).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "damaged.zip"
    for _ in range(150):
        damaged = bytearray(intact)
        for place in random.integers(0, len(intact), 3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged[: random.integers(len(intact) // 2, len(intact) + 1)])
        with contextlib.suppress(InvalidDatasetFormatException):
            dataset.load_dataset_of_image_files(str(path))


def test_missing_file_is_what_python_says(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        dataset.load_dataset_of_image_files(str(tmp_path / "none.zip"))


def test_encrypted_member(ten_images: str) -> None:
    data = bytearray(Path(ten_images).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + offset] |= 1  # the flag; the first member is the first row's
    Path(ten_images).write_bytes(data)
    with pytest.raises(InvalidDatasetFormatException, match=r"images/0\.png.*unencrypted"):
        dataset.load_dataset_of_image_files(ten_images)


def test_zip_bomb(make_zip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rafiki.model.dataset_archive.MAX_READ_FLOOR", 1 << 20)
    path = make_zip({"a.png": png(), "images.csv": "path,class\n" + "a.png,0\n" * 1_000_000})
    with pytest.raises(InvalidDatasetFormatException, match="bomb"):
        dataset.load_dataset_of_image_files(path)


def test_picture_bomb(make_zip, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip({"a.png": png(500, 500), "images.csv": "path,class\n" + "a.png,0\n" * 10})
    monkeypatch.setattr(image_decoding, "MAX_DECODED_FLOOR", 1 << 20)
    with pytest.raises(InvalidDatasetFormatException, match=r"500 x 500.*max_image_size"):
        dataset.load_dataset_of_image_files(path)
    assert dataset.load_dataset_of_image_files(path, max_image_size=50).image_size == 50
    monkeypatch.setattr(image_archive, "MAX_PIXELS", 1000)
    with pytest.raises(InvalidDatasetFormatException, match="500 x 500 pixels; expected at most 1000"):
        dataset.load_dataset_of_image_files(path, max_image_size=50)


class TestCache:
    def load(self, path: str, cache_dir: Path, **arguments: object) -> dataset_images.ImageFilesDataset:
        utils = DatasetUtils()
        utils.set_cache_dir(str(cache_dir))
        return utils.load_dataset_of_image_files(path, **arguments)

    def test_later_loads_decode_nothing(self, ten_images: str, tmp_path: Path, monkeypatch) -> None:
        first = self.load(ten_images, tmp_path / "cache")
        monkeypatch.setattr(dataset_images, "decode_images", None)
        again = self.load(ten_images, tmp_path / "cache")
        assert [c for _, c in again] == [c for _, c in first]
        assert all((a == b).all() for (a, _), (b, _) in zip(first, again, strict=True))
        assert type(again[0][0]) is np.ndarray
        assert (again.classes, again.image_size, again.size) == (3, 6, 10)

    def test_arguments_and_content_are_told_apart(self, ten_images: str, tmp_path: Path) -> None:
        assert self.load(ten_images, tmp_path / "cache").image_size == 6
        assert self.load(ten_images, tmp_path / "cache", max_image_size=4).image_size == 4
        assert self.load(ten_images, tmp_path / "cache", mode="L")[0][0].ndim == 2
        # Other content of the same size and time, under the same path.
        stat = Path(ten_images).stat()
        with zipfile.ZipFile(ten_images) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members["images/0.png"], members["images/1.png"] = members["images/1.png"], members["images/0.png"]
        with zipfile.ZipFile(ten_images, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        os.utime(ten_images, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert (self.load(ten_images, tmp_path / "cache")[0][0] == 20).all()

    def test_damaged_entries_are_decoded_again(self, ten_images: str, tmp_path: Path) -> None:
        self.load(ten_images, tmp_path)
        for entry in tmp_path.glob("*.npy"):
            entry.write_bytes(entry.read_bytes()[:50])
        assert self.load(ten_images, tmp_path).size == 10
        assert not list(tmp_path.glob("*.tmp"))

    def test_a_folder_that_cannot_be_written_is_only_a_warning(self, ten_images: str, tmp_path: Path, caplog) -> None:
        (tmp_path / "file").write_text("")
        assert self.load(ten_images, tmp_path / "file").size == 10
        assert "could not be kept" in caplog.text

    def test_broken_datasets_leave_nothing(self, make_zip, tmp_path: Path) -> None:
        with pytest.raises(InvalidDatasetFormatException):
            self.load(make_zip({"images.csv": "path,class\n"}), tmp_path / "cache")
        assert list((tmp_path / "cache").iterdir()) == []
