"""Queries that come as files: what is in them, and that none of them harms whoever reads them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rafiki.errors import InvalidQueryError
from rafiki.tasks.query_files import is_array, is_image, read_array_file, read_csv_file, read_image_file

MANY = 10**6


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def npy(array: Any, **options: Any) -> bytes:
    data = io.BytesIO()
    np.save(data, array, **options)
    return data.getvalue()


@pytest.mark.parametrize(
    ("image", "pixel"),
    [
        (Image.new("RGB", (3, 2), (10, 20, 30)), [10, 20, 30]),
        (Image.new("RGBA", (3, 2), (10, 20, 30, 0)), [10, 20, 30]),
        (Image.new("L", (3, 2), 7), [7, 7, 7]),
        (Image.fromarray(np.full((2, 3), 7 * 256, np.uint16)), [7, 7, 7]),
    ],
)
def test_a_png_of_any_mode_is_rgb(image: Image.Image, pixel: list[int]) -> None:
    data = encoded(image, "PNG")
    assert is_image(data) and not is_array(data)
    decoded = read_image_file(data, MANY)
    assert (decoded.shape, decoded.dtype) == ((2, 3, 3), np.uint8)
    assert decoded[1, 2].tolist() == pixel


def test_a_jpeg() -> None:
    decoded = read_image_file(encoded(Image.new("RGB", (8, 8), (200, 200, 200)), "JPEG"), MANY)
    assert decoded.shape == (8, 8, 3)
    assert abs(int(decoded.mean()) - 200) < 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (encoded(Image.new("RGB", (1001, 1000)), "PNG"), "1001 x 1000"),
        (encoded(Image.effect_noise((64, 64), 50), "PNG")[:1000], "decoded"),
        (encoded(Image.new("RGB", (8, 8)), "GIF"), "decoded"),
        (b"\x89PNG\r\n\x1a\n", "decoded"),
        (b"\xff\xd8\xff" + b"\xff\xda" * 101, "scans"),
    ],
)
def test_images_that_cannot_be_taken(data: bytes, said: str) -> None:
    with pytest.raises(InvalidQueryError, match=said):
        read_image_file(data, MANY)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
        np.asfortranarray(np.arange(12.0).reshape(2, 6)),
        np.arange(4, dtype=">i4"),
        np.zeros((0, 3)),
    ],
)
def test_arrays_come_as_they_were_saved(array: np.ndarray) -> None:
    data = npy(array)
    assert is_array(data) and not is_image(data)
    np.testing.assert_array_equal(read_array_file(data), array)


@pytest.mark.parametrize(
    "data",
    [
        npy(np.array([{"a": 1}], object), allow_pickle=True),
        npy(np.array(["text"])),
        npy(np.zeros(3))[:-1],
        npy(np.zeros(3)).replace(b"(3,)", b"(9,)"),
        npy(np.zeros(3)).replace(b"(3,)", b"(-3"),
        npy(np.zeros(3)).replace(b"'descr'", b"'other'"),
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff" + b"[" * 65535,
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    ],
)
def test_arrays_that_cannot_be_taken(data: bytes) -> None:
    with pytest.raises(InvalidQueryError, match="npy"):
        read_array_file(data)


def test_a_table_is_a_query_per_row_with_values_as_json_has_them() -> None:
    table = b'\xef\xbb\xbfage, sex,name,is_in\r\n22,m,"Smith, ""J""",true\r\n,NA,,\r\n\r\n1.5,f, x ,False\r\n'
    assert read_csv_file(table) == [
        {"age": 22, "sex": "m", "name": 'Smith, "J"', "is_in": True},
        {"age": None, "sex": None, "name": None, "is_in": None},
        {"age": 1.5, "sex": "f", "name": "x", "is_in": False},
    ]
    assert read_csv_file(b"a,b\n") == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"a,a\n1,2\n", "same name"),
        (b"a,b\n1,2\n3\n", "row 3"),
        (b'a,b\n1,"2\n', "row 2"),
        (b"a,b\n1,\xff\n", "UTF-8"),
    ],
)
def test_tables_that_cannot_be_taken(data: bytes, said: str) -> None:
    with pytest.raises(InvalidQueryError, match=said):
        read_csv_file(data)
