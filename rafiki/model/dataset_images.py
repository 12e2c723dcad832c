"""Datasets of type IMAGE_FILES: a zip with `images.csv` (columns `path` and `class`) and the images it names."""

from __future__ import annotations

import io
import operator
import os
from typing import TYPE_CHECKING, Iterator, List, NamedTuple, NoReturn, Optional, Tuple

import numpy as np

from rafiki.model.dataset_archive import Archive
from rafiki.model.dataset_cache import DecodedImages, cached_images

if TYPE_CHECKING:
    from PIL.Image import Image

#: Larger images are refused (Pillow's own threshold for a decompression bomb).
MAX_PIXELS = 89_478_485
#: Decoded, all images may take this many times the archive's size, or this many bytes, whichever is more.
MAX_DECODED_RATIO = 1000
MAX_DECODED_FLOOR = 1 << 30

#: The one filter for everything that is resized: what a model saw in training it sees in service. (It is Pillow's
#: number for it in all versions; its name isn't.)
BICUBIC = 3

_SUFFIXES = (".png", ".jpg", ".jpeg")


class ImageRow(NamedTuple):
    """One row of `images.csv`."""

    row: int  # the header is row 1
    member: str  # the image's name in the archive
    image_class: int


class ImageFilesDataset:
    """Images and their classes: `dataset[i]` and iteration give `(image, class)`.

    `image` is a uint8 array, `image_size` x `image_size` (x channels, for modes that have several), and may be
    written to without changing the dataset's file; `class` is an `int`.
    `size` is the number of images, `classes` the largest class + 1. All images are resized to the same square.
    """

    def __init__(
        self,
        dataset_path: str,
        min_image_size: Optional[int] = None,
        max_image_size: Optional[int] = None,
        mode: str = "RGB",
        if_shuffle: bool = False,
        cache_dir: Optional[str] = None,
    ) -> None:
        """Decodes the archive, or takes what an earlier load with the same arguments left in `cache_dir`."""
        self.path = dataset_path
        arguments = (min_image_size, max_image_size, mode)
        decoded = cached_images(dataset_path, cache_dir, arguments, lambda: decode_images(dataset_path, *arguments))
        self._images = decoded.images
        self._classes: List[int] = decoded.classes.tolist()
        self.size = len(self._classes)
        self.classes = max(self._classes) + 1
        self.image_size = int(self._images.shape[1])
        # An order instead of shuffled images: those may be a memory map of more than fits into memory.
        self._order: Optional[List[int]] = np.random.permutation(self.size).tolist() if if_shuffle else None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Tuple[np.ndarray, int]:
        i = operator.index(index)
        if self._order is not None:
            i = self._order[i]
        return self._images[i], self._classes[i]

    def __iter__(self) -> Iterator[Tuple[np.ndarray, int]]:
        if self._order is None:
            return zip(self._images, self._classes)
        return ((self._images[i], self._classes[i]) for i in self._order)


def open_image_archive(dataset_path: str) -> Archive:
    return Archive(dataset_path, "images.csv")


def read_image_rows(archive: Archive) -> List[ImageRow]:
    """The rows of `images.csv`, checked: at least one, each with a class and an image that is in the archive."""
    header, records = archive.read_table(("path", "class"))
    path, image_class = header.index("path"), header.index("class")
    rows = [
        ImageRow(
            row,
            archive.check_path(cells[path], row, "path", _SUFFIXES),
            archive.parse_class(cells[image_class], row, "class"),
        )
        for row, cells, _ in records
    ]
    if not rows:
        archive.fail("images.csv has no rows; expected at least one image")
    return rows


def read_image(archive: Archive, row: ImageRow) -> Image:
    """One decoded image, of its own size and mode. 16-bit grey is brought down to 8 bits."""
    image = _open_image(archive, row)
    try:
        image.load()
    except Exception as error:  # noqa: BLE001 (on broken bytes, decoders raise about anything)
        _fail_to_decode(archive, row, str(error), error)
    if image.mode.startswith("I"):
        from PIL import Image as PillowImage

        # Pillow would clip 16-bit values at 255 instead of scaling them.
        return PillowImage.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def read_image_size(archive: Archive, row: ImageRow) -> Tuple[int, int]:
    """Width and height, as the image's header says."""
    return _open_image(archive, row).size


def _open_image(archive: Archive, row: ImageRow) -> Image:
    from PIL import Image as PillowImage
    from PIL import UnidentifiedImageError

    data = archive.read(row.member)
    try:
        # No decoder but these two ever sees a stranger's bytes.
        image: Image = PillowImage.open(io.BytesIO(data), formats=("PNG", "JPEG"))
    except UnidentifiedImageError as error:
        _fail_to_decode(archive, row, "it is neither", error)
    except Exception as error:  # noqa: BLE001 (as above)
        _fail_to_decode(archive, row, str(error), error)
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        archive.fail_at(row.row, "path", f"'{row.member}' has {size} pixels; expected at most {MAX_PIXELS}")
    return image


def _fail_to_decode(archive: Archive, row: ImageRow, reason: str, cause: Exception) -> NoReturn:
    archive.fail_at(row.row, "path", f"'{row.member}' cannot be decoded ({reason}); expected PNG or JPEG", cause)


def decode_images(
    dataset_path: str, min_image_size: Optional[int], max_image_size: Optional[int], mode: str
) -> DecodedImages:
    """All images of an archive in one array, in the order of `images.csv`."""
    with open_image_archive(dataset_path) as archive:
        rows = read_image_rows(archive)
        first = read_image(archive, rows[0])
        side = max(min(first.width, first.height, max_image_size or first.width), min_image_size or 0)
        example = _to_square(first, side, mode)
        if side > (min_image_size or 0):
            _check_decoded_size(archive, len(rows), side, example.nbytes)
        images = np.empty((len(rows), *example.shape), example.dtype)
        images[0] = example
        for i in range(1, len(rows)):
            images[i] = _to_square(read_image(archive, rows[i]), side, mode)
    return DecodedImages(images, np.array([row.image_class for row in rows], np.int64))


def _to_square(image: Image, side: int, mode: str) -> np.ndarray:
    """The image as an array of the wished mode and size."""
    if image.mode == "L" and mode == "RGB" and image.size == (side, side):
        # Three equal channels: NumPy repeats one faster than Pillow converts it.
        return np.repeat(np.frombuffer(image.tobytes(), np.uint8), 3).reshape(side, side, 3)
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (side, side):
        image = image.resize((side, side), BICUBIC)
    return np.asarray(image)


def _check_decoded_size(archive: Archive, n_images: int, side: int, image_bytes: int) -> None:
    n_bytes = n_images * image_bytes
    if n_bytes > max(archive.size_bytes * MAX_DECODED_RATIO, MAX_DECODED_FLOOR):
        archive.fail(
            f"{n_images} images of {side} x {side} pixels would take {n_bytes >> 20} MiB of memory, over "
            f"{MAX_DECODED_RATIO} times the {os.path.getsize(archive.path)} bytes of the archive; expected fewer or "
            "smaller images (a template can pass a `max_image_size`)"
        )
