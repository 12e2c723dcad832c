"""The dataset scripts for folders of images, CIFAR-10 and tables, on small files of the same formats."""

import csv
import io
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.datasets.image_files.load_cifar10 import load_cifar10
from examples.datasets.image_files.load_folder_format import load_folder_format
from examples.datasets.sources import SourceError
from examples.datasets.tabular.load_bodyfat import load_bodyfat
from examples.datasets.tabular.load_titanic import load_titanic
from rafiki.model import dataset

ROOT = Path(__file__).parents[3]
TABLES = Path(os.environ.get("RAFIKI_TEST_DATA", ROOT.parent / "shared" / "data")) / "tabular"

needs_tables = pytest.mark.skipif(not TABLES.is_dir(), reason="needs ../shared/data (or RAFIKI_TEST_DATA)")


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path("data").iterdir())}


class TestFolders:
    @pytest.fixture
    def pets(self, tmp_path: Path) -> Path:
        """Ten cats in two formats and one folder deeper, ten dogs; and what is no image, or no class."""
        folder = tmp_path / "pets"
        for i in range(10):
            for name, value in (("cat", 10 * i), ("dog", 10 * i + 1)):
                place = folder / name / ("deeper" if i == 9 else ".")
                place.mkdir(parents=True, exist_ok=True)
                image = Image.new("RGB", (6, 4), (value, value, value))
                image.save(place / f"{i}.png") if i % 2 else image.save(place / f"{i}.JPG", quality=95)
        (folder / "cat" / "notes.txt").write_text("not an image")
        (folder / "empty").mkdir()
        (folder / ".hidden").mkdir()
        return folder

    def test_one_folder_per_class(self, pets: Path) -> None:
        paths = load_folder_format(str(pets), validation_split=0.2, test_split=0.1)
        assert list(written()) == ["pets_meta.csv", "pets_test.zip", "pets_train.zip", "pets_val.zip"]
        parts = {part: dataset.load_dataset_of_image_files(path) for part, path in paths.items()}
        assert {part: Counter(c for _, c in images) for part, images in parts.items()} == {
            "train": {0: 7, 1: 7}, "val": {0: 2, 1: 2}, "test": {0: 1, 1: 1},
        }  # fmt: skip
        values = sorted(int(image[0, 0, 0]) for images in parts.values() for image, _ in images)
        assert values == sorted([10 * i for i in range(10)] + [10 * i + 1 for i in range(10)])
        assert [c for _, c in parts["train"]] != sorted(c for _, c in parts["train"])
        assert Path("data/pets_meta.csv").read_text() == "class,name\n0,cat\n1,dog\n"
        before = written()
        load_folder_format(str(pets), validation_split=0.2, test_split=0.1)
        assert written() == before

    def test_limit_and_name(self, pets: Path) -> None:
        load_folder_format(str(pets), name="beasts", out_dir="out", limit=2)
        assert len(dataset.load_dataset_of_image_files("out/beasts_train.zip")) == 2

    def test_a_download_is_unpacked_once(self, pets: Path, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.mkdir()
        with tarfile.open(source / "flower_photos.tgz", "w:gz") as archive:
            archive.add(pets, "flower_photos")
        for _ in range(2):
            paths = load_folder_format(str(source))
            assert paths["train"] == str(Path("data/flower_photos_train.zip"))
        assert sorted(path.name for path in source.iterdir()) == ["flower_photos", "flower_photos.tgz"]

    def test_checks_what_it_reads(self, pets: Path, tmp_path: Path) -> None:
        (pets / "dog" / "2.JPG").write_bytes(b"no image")
        with pytest.raises(SourceError, match=r"2\.JPG is not a readable PNG or JPEG"):
            load_folder_format(str(pets))
        with pytest.raises(SourceError, match="in these folders: deeper; expected one per class"):
            load_folder_format(str(pets / "cat"))
        with pytest.raises(SourceError, match="not a folder"):
            load_folder_format(str(tmp_path / "nowhere"))
        with pytest.raises(SourceError, match=r"splits are 0.5, 0.5"):
            load_folder_format(str(pets), validation_split=0.5, test_split=0.5)


class TestCifar10:
    @pytest.fixture
    def files(self) -> dict[str, bytes]:
        random = np.random.default_rng(0)
        names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
        return {
            name: b"".join(bytes([i % 10]) + random.bytes(1024) + b"\0" * 1024 + b"\xff" * 1024 for i in range(4))
            for name in names
        }

    def pack(self, folder: Path, files: dict[str, bytes]) -> str:
        folder.mkdir()
        with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
            for name, data in {**files, "readme.html": b"", "batches.meta.txt": b"airplane\n"}.items():
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return str(folder)

    def test_packed_and_unpacked(self, tmp_path: Path, files: dict[str, bytes]) -> None:
        load_cifar10(from_dir=self.pack(tmp_path / "packed", files), validation_split=0.25)
        packed = written()
        assert list(packed) == ["cifar10_meta.csv", "cifar10_test.zip", "cifar10_train.zip", "cifar10_val.zip"]
        folder = tmp_path / "unpacked" / "cifar-10-batches-bin"
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        load_cifar10(from_dir=str(folder.parent), validation_split=0.25)
        assert written() == packed

        parts = [dataset.load_dataset_of_image_files(f"data/cifar10_{part}.zip") for part in ("train", "val", "test")]
        assert [(len(images), images.image_size) for images in parts] == [(15, 32), (5, 32), (4, 32)]
        image, _ = parts[0][0]
        assert (image[:, :, 1] == 0).all()
        assert (image[:, :, 2] == 255).all()
        reds = {data[start + 1 : start + 1025] for data in files.values() for start in range(0, 4 * 3073, 3073)}
        assert all(image[:, :, 0].tobytes() in reds for images in parts for image, _ in images)
        names = list(csv.reader(Path("data/cifar10_meta.csv").read_text().splitlines()))
        assert names[1] == ["0", "airplane"]
        assert len(names) == 11

    def test_checks_what_it_reads(self, tmp_path: Path, files: dict[str, bytes]) -> None:
        for i, (wrong, message) in enumerate(
            (
                ({"data_batch_3.bin": b"12345"}, r"data_batch_3\.bin has 5 bytes; expected a multiple of 3073"),
                ({"test_batch.bin": b"\x0a" * 3073}, "is 10, expected 0 to 9"),
            )
        ):
            with pytest.raises(SourceError, match=message):
                load_cifar10(from_dir=self.pack(tmp_path / str(i), {**files, **wrong}))
        with pytest.raises(SourceError, match=r"there is no 'data_batch_1\.bin'"):
            load_cifar10(from_dir=str(tmp_path))
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"nothing")
        with pytest.raises(SourceError, match="cannot be unpacked"):
            load_cifar10(from_dir=str(tmp_path))


class TestTables:
    def test_titanic_of_any_case(self, tmp_path: Path) -> None:
        header = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
        rows = [f'{i},{i % 2},3,"B, {i}",male,,0,0,T,7.5,,S' for i in range(20)]
        for folder, form in (("upper", str), ("lower", str.lower)):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "titanic.csv").write_text("\n".join([form(header), *rows]))
            load_titanic(from_dir=str(tmp_path / folder))
            train = dataset.load_dataset_of_tabular("data/titanic_train.csv")
            val = dataset.load_dataset_of_tabular("data/titanic_val.csv", schema=train.schema)
            assert train.schema.feature_names == [
                "Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked",
            ]  # fmt: skip
            assert train.schema.target.name == "Survived"
            assert (Counter(train.targets.tolist()), Counter(val.targets.tolist())) == ({0: 8, 1: 8}, {0: 2, 1: 2})
            assert {features["Name"] for features, _ in [*train, *val]} == {f"B, {i}" for i in range(20)}
        before = written()
        load_titanic(from_dir=str(tmp_path / "upper"))
        assert written() == before

    @needs_tables
    def test_real_tables(self) -> None:
        load_titanic(from_dir=str(TABLES))
        load_bodyfat(from_dir=str(TABLES))
        sizes = {name: len(dataset.load_dataset_of_tabular(f"data/{name}")) for name in written()}
        assert sizes == {
            "bodyfat_train.csv": 202,
            "bodyfat_val.csv": 50,
            "titanic_train.csv": 713,
            "titanic_val.csv": 178,
        }
        bodyfat = dataset.load_dataset_of_tabular("data/bodyfat_train.csv")
        assert bodyfat.schema.target == ("bodyfat", "number", ())
        assert bodyfat.schema.feature_names[:3] == ["density", "age", "weight"]
        assert {column.type for column in bodyfat.schema.features} == {"number"}
        titanic = dataset.load_dataset_of_tabular("data/titanic_train.csv")
        assert titanic.class_values == [0, 1]
        assert sum(value is None for value in titanic.columns["Cabin"].tolist()) > 400

    def test_checks_what_it_reads(self, tmp_path: Path) -> None:
        for text, message in (
            ("a,b\n1,2\n", "no column 'density'; expected density, age"),
            ("", "no column 'density'"),
            ("\xff", "no column"),
        ):
            (tmp_path / "bodyfat.csv").write_text(text)
            with pytest.raises(SourceError, match=message):
                load_bodyfat(from_dir=str(tmp_path))
        header = "Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked,Survived\n"
        row = "3,B,male,,0,0,T,7.5,,S,"
        for rows, message in (
            (f"{row}1\n", "1 rows; expected at least 2 rows"),
            (f"{row}1\n{row}yes\n", "'yes' as a value of 'Survived'"),
            (f"{row}1\n3,B\n", "a row of 2 values"),
            (f'{row}1\n"', "not a CSV file"),
        ):
            (tmp_path / "titanic.csv").write_text(header + rows)
            with pytest.raises(SourceError, match=message):
                load_titanic(from_dir=str(tmp_path))
        assert not Path("data").exists()


@pytest.mark.parametrize(
    "script",
    [
        "image_files/load_folder_format.py",
        "image_files/load_cifar10.py",
        "tabular/load_titanic.py",
        "tabular/load_bodyfat.py",
    ],
)
def test_scripts_say_in_a_line_what_they_lack(tmp_path: Path, script: str) -> None:
    command = [sys.executable, str(ROOT / "examples" / "datasets" / script), "--from", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
