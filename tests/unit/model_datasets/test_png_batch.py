"""Small PNG files are decoded together: the same pixels as one by one, whatever is in the files."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from rafiki.model import InvalidDatasetFormatException, dataset
from rafiki.model.png_batch import decode_together, read_png

RANDOM = np.random.default_rng(0)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def filtered_png(width: int, height: int, colour: int, filters: range = range(5)) -> bytes:
    """A file whose rows have filters at random, and random differences."""
    n_channels = {0: 1, 2: 3}[colour]
    rows = RANDOM.integers(0, 256, (height, 1 + width * n_channels), dtype=np.uint8)
    rows[:, 0] = RANDOM.choice(filters, height)
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    data = zlib.compress(rows.tobytes())
    parts = chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", data[:5]) + chunk(b"IDAT", data[5:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + parts + chunk(b"IEND", b"")


def saved(image: Image.Image, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", **options)
    return data.getvalue()


def pixels(shape: tuple[int, ...]) -> Image.Image:
    return Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8))


def one_by_one(files: list[bytes], size: int, mode: str) -> list[np.ndarray]:
    images = [Image.open(io.BytesIO(data)).convert(mode) for data in files]
    return [np.asarray(image if image.size == (size, size) else image.resize((size, size), 3)) for image in images]


def make_dataset(make_zip, files: list[bytes]) -> str:
    rows = [f"{i}.png,{i % 3}" for i in range(len(files))]
    members = {f"{i}.png": data for i, data in enumerate(files)}
    return make_zip({**members, "images.csv": "\n".join(["path,class", *rows]) + "\n"})


@pytest.mark.parametrize("colour", [0, 2])
@pytest.mark.parametrize(("mode", "size"), [("RGB", 9), ("L", 9), ("RGB", 5), ("RGBA", 9)])
def test_every_filter(make_zip, colour: int, mode: str, size: int) -> None:
    files = [filtered_png(9, 9, colour) for _ in range(300)]
    images = dataset.load_dataset_of_image_files(make_dataset(make_zip, files), size, size, mode=mode)
    for (image, _), expected in zip(images, one_by_one(files, size, mode), strict=True):
        assert (image == expected).all()


def test_a_mixture_of_kinds(make_zip) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("note", "small")
    jpeg = io.BytesIO()
    pixels((9, 9, 3)).save(jpeg, "JPEG")
    files = [
        saved(pixels((9, 9))),
        saved(pixels((9, 9, 3))),
        saved(pixels((9, 9, 4))),
        saved(pixels((9, 9, 2))),
        saved(pixels((9, 9, 3)).quantize(16)),
        saved(pixels((9, 9)).convert("1")),
        saved(pixels((9, 9, 3)), transparency=(1, 2, 3)),
        saved(pixels((9, 9)), pnginfo=info),
        saved(pixels((4, 13, 3))),
        saved(pixels((200, 300, 3))),
        filtered_png(9, 9, 0),
        jpeg.getvalue(),
    ]
    images = dataset.load_dataset_of_image_files(make_dataset(make_zip, files), 9, 9)
    assert images[11][0].shape == (9, 9, 3)
    for (image, image_class), (i, expected) in zip(images, enumerate(one_by_one(files, 9, "RGB")), strict=True):
        assert (image == expected).all(), i
        assert image_class == i % 3


def test_what_is_not_plain_or_not_whole_is_left_to_others() -> None:
    good = filtered_png(9, 9, 0)
    image = read_png(good, 81)
    assert image is not None
    assert image[:3] == (9, 9, 1)
    assert decode_together([image, image]).shape == (2, 9, 9, 1)
    assert read_png(good, 80) is None
    header = struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0)
    for header_of_another in (
        struct.pack(">IIBBBBB", 9, 8, 8, 0, 0, 0, 0),  # other sizes than the pixels have
        struct.pack(">IIBBBBB", 9, 10, 8, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 0, 9, 8, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 9, 9, 16, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 9, 9, 8, 3, 0, 0, 0),
        struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 1),
    ):
        assert read_png(good.replace(chunk(b"IHDR", header), chunk(b"IHDR", header_of_another)), 1000) is None
    assert read_png(good.replace(header, header[::-1]), 1000) is None  # a wrong checksum
    assert all(read_png(good[:n], 1000) is None for n in range(len(good) - 12))
    assert read_png(good.replace(b"tEXt", b"tRNS"), 1000) is None
    data = zlib.compress(bytes(90))
    torn = chunk(b"IDAT", data[:5]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", data[5:])
    assert read_png(good[:33] + torn + chunk(b"IEND", b""), 1000) is None
    wrong_filter = read_png(filtered_png(9, 9, 0, range(7, 9)), 1000)
    assert wrong_filter is not None
    assert decode_together([image, wrong_filter]) is None


def test_a_broken_one_among_good_ones_is_named(make_zip) -> None:
    files = [filtered_png(9, 9, 0) for _ in range(20)]
    for broken in (files[7][:-30], filtered_png(9, 9, 0, range(9, 10))):
        path = make_dataset(make_zip, [*files[:7], broken, *files[8:]])
        with pytest.raises(InvalidDatasetFormatException, match=r"row 9.*'7\.png'"):
            dataset.load_dataset_of_image_files(path)
