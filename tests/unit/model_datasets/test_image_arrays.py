import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rafiki.model import dataset


def plainly_normalized(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scaled = np.asarray(images) / 255
    mean, std = scaled.mean(axis=(0, 1, 2)), scaled.std(axis=(0, 1, 2))
    return (scaled - mean) / std, mean, std


@pytest.mark.parametrize("shape", [(50, 9, 9, 3), (50, 9, 9), (3000, 1, 1, 1), (2, 300, 200, 4), (1, 1, 7, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_normalizes_as_the_plain_formula_does(shape: tuple[int, ...], dtype: type) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    normalized, mean, std = dataset.normalize_images(images)
    expected, expected_mean, expected_std = plainly_normalized(images)
    assert normalized.dtype == np.float64
    np.testing.assert_allclose(mean, np.atleast_1d(expected_mean), rtol=1e-6)
    np.testing.assert_allclose(std, np.atleast_1d(expected_std), rtol=1e-6)
    np.testing.assert_allclose(normalized, expected, rtol=1e-6, atol=1e-6)
    assert json.loads(json.dumps([mean, std])) == [mean, std]


def test_given_mean_and_std_are_used(random_images: np.ndarray) -> None:
    normalized, mean, std = dataset.normalize_images(list(random_images), mean=[0, 0.5, 1], std=np.array([1, 2, 4]))
    assert (mean, std) == ([0.0, 0.5, 1.0], [1.0, 2.0, 4.0])
    np.testing.assert_allclose(normalized, (random_images / 255 - [0, 0.5, 1]) / [1, 2, 4])
    _, mean, std = dataset.normalize_images(random_images, std=[1, 1, 1])
    np.testing.assert_allclose(mean, (random_images / 255).mean(axis=(0, 1, 2)))
    with pytest.raises(ValueError, match="`mean` has 2 values"):
        dataset.normalize_images(random_images, mean=[0, 1])


def test_images_of_one_colour_give_zeros() -> None:
    images = np.full((4, 3, 3), 77, np.uint8)
    normalized, mean, std = dataset.normalize_images(images)
    assert std == [0.0]
    assert (normalized == 0).all()
    again, _, _ = dataset.normalize_images(images + np.uint8(10), mean, std)
    assert np.isfinite(again).all()


def test_no_images() -> None:
    nothing: list[np.ndarray] = []
    images, mean, std = dataset.normalize_images(nothing, [0.5], [0.1])
    assert images is nothing
    assert (mean, std) == ([0.5], [0.1])
    assert dataset.normalize_images(nothing) == ([], None, None)
    images, mean, std = dataset.normalize_images(np.empty((0, 4, 4)), np.array([0.5, 1]), (2, 3))
    assert images.shape == (0, 4, 4)
    assert json.loads(json.dumps([mean, std])) == [[0.5, 1], [2, 3]]


def test_images_stay_as_they_were(random_images: np.ndarray) -> None:
    before = random_images.copy()
    dataset.normalize_images(random_images)
    assert (random_images == before).all()


def test_transforms_size_and_mode(random_images: np.ndarray) -> None:
    assert dataset.transform_images(random_images).shape == (50, 9, 9, 3)
    assert (dataset.transform_images(random_images, image_size=9, mode="RGB") == random_images).all()
    assert dataset.transform_images(random_images, image_size=5).shape == (50, 5, 5, 3)
    assert dataset.transform_images(random_images, image_size=5, mode="L").shape == (50, 5, 5)
    nested = [[[1, 2], [3, 4]], np.zeros((7, 3, 1), np.uint8)]
    assert dataset.transform_images(nested, image_size=4, mode="RGB").shape == (2, 4, 4, 3)
    assert dataset.transform_images(nested, image_size=4).dtype == np.uint8
    with pytest.raises(ValueError, match="image 1 has the shape"):
        dataset.transform_images(nested)
    assert len(dataset.transform_images([], image_size=4)) == 0
    assert dataset.transform_images(random_images.astype(float)).dtype == np.uint8
    for wrong in (-1, 256, 0.5, float("nan")):
        with pytest.raises(ValueError, match="expected whole numbers from 0 to 255"):
            dataset.transform_images([[[0, wrong], [3, 4]]])


def test_queries_are_transformed_as_datasets_are(random_images: np.ndarray, tmp_path: Path) -> None:
    path = str(tmp_path / "images.zip")
    dataset.write_dataset_of_image_files(path, random_images, list(range(50)))
    for mode, size in (("L", 9), ("RGB", 5), ("L", 20)):
        loaded = dataset.load_dataset_of_image_files(path, size, size, mode=mode)
        transformed = dataset.transform_images(random_images, image_size=size, mode=mode)
        assert all((a == b).all() for (a, _), b in zip(loaded, transformed, strict=True))


def test_loads_files(random_images: np.ndarray, tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for path, image in zip(paths, random_images, strict=False):
        Image.fromarray(image).save(path)
    assert (dataset.load_images(paths) == random_images[:3]).all()
    assert dataset.load_images(paths, mode="L").shape == (3, 9, 9)
    Image.new("L", (2, 2)).save(paths[1])
    with pytest.raises(ValueError, match="image 1"):
        dataset.load_images(paths)


def test_writing_is_reproducible_and_checked(random_images: np.ndarray, tmp_path: Path) -> None:
    paths = [tmp_path / "deep" / name for name in ("a.zip", "b.zip")]
    for path in paths:
        dataset.write_dataset_of_image_files(str(path), random_images, np.arange(50))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    images = dataset.load_dataset_of_image_files(str(paths[0]))
    assert all((a == b).all() for (a, _), b in zip(images, random_images, strict=True))
    with pytest.raises(ValueError, match="50 images and 51 classes"):
        dataset.write_dataset_of_image_files(str(tmp_path / "c.zip"), random_images, [0] * 51)
    assert not (tmp_path / "c.zip").exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_files_are_written_as_they_are(random_images: np.ndarray, tmp_path: Path) -> None:
    paths = [tmp_path / "a.PNG", str(tmp_path / "b.jpeg")]
    for path, image in zip(paths, random_images, strict=False):
        Image.fromarray(image).save(path)
    dataset.write_dataset_of_image_files(str(tmp_path / "x.zip"), [*paths, random_images[2]], [0, 1, 2])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == ["images/0.png", "images/1.jpeg", "images/2.png", "images.csv"]
        assert archive.read("images/1.jpeg") == Path(paths[1]).read_bytes()
    images = dataset.load_dataset_of_image_files(str(tmp_path / "x.zip"))
    assert (images[0][0] == random_images[0]).all()
    assert (images[2][0] == random_images[2]).all()
