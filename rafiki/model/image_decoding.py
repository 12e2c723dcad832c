"""Decoding all images of an archive into one array of squares."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from rafiki.model.dataset_archive import Archive
from rafiki.model.dataset_cache import Allocate, DecodedImages
from rafiki.model.image_archive import ImageRow, open_image_archive, read_image, read_image_rows
from rafiki.model.png_batch import FilteredImage, decode_together, read_png

if TYPE_CHECKING:
    from PIL.Image import Image

#: Decoded, all images may take this many times the archive's size, or this many bytes, whichever is more.
MAX_DECODED_RATIO = 1000
MAX_DECODED_FLOOR = 1 << 30

#: The one filter for everything that is resized: what a model saw in training it sees in service. (It is Pillow's
#: number for it in all versions; its name isn't.)
BICUBIC = 3

#: So many images at a time are decoded together, if they have no more values than this: about what stays in a cache.
_PIECE_IMAGES = 256
_MAX_SMALL_VALUES = 1 << 14


class _SmallImage(NamedTuple):
    """An image that may be decoded with others."""

    place: int  # in the array of all images
    row: ImageRow
    data: bytes
    filtered: FilteredImage


def decode_images(
    dataset_path: str,
    min_image_size: Optional[int],
    max_image_size: Optional[int],
    mode: str,
    allocate: Allocate = np.empty,
) -> DecodedImages:
    """All images of an archive in one array that `allocate` makes, in the order of `images.csv`."""
    with open_image_archive(dataset_path) as archive:
        rows = read_image_rows(archive)
        first = read_image(archive, rows[0])
        side = max(min(first.width, first.height, max_image_size or first.width), min_image_size or 0)
        example = _to_square(first, side, mode)
        if side > (min_image_size or 0):
            _check_decoded_size(archive, len(rows), side, example.nbytes)
        images = allocate((len(rows), *example.shape), example.dtype)
        for start in range(0, len(rows), _PIECE_IMAGES):
            piece = slice(start, start + _PIECE_IMAGES)
            _decode_piece(archive, rows[piece], side, mode, images[piece])
    return DecodedImages(images, np.array([row.image_class for row in rows], np.int64))


def _decode_piece(archive: Archive, rows: Sequence[ImageRow], side: int, mode: str, images: np.ndarray) -> None:
    alike: Dict[Tuple[int, int, int], List[_SmallImage]] = {}
    for i, row in enumerate(rows):
        data = archive.read(row.member)
        filtered = read_png(data, _MAX_SMALL_VALUES)
        if filtered is None:
            images[i] = _to_square(read_image(archive, row, data), side, mode)
        else:
            alike.setdefault(filtered[:3], []).append(_SmallImage(i, row, data, filtered))
    for batch in alike.values():
        pixels = decode_together([image.filtered for image in batch])
        if pixels is None:
            for image in batch:
                images[image.place] = _to_square(read_image(archive, image.row, image.data), side, mode)
        else:
            places = slice(None) if len(batch) == len(rows) else [image.place for image in batch]
            _put_squares(images, places, pixels, side, mode)


def _put_squares(images: np.ndarray, places: Union[slice, List[int]], pixels: np.ndarray, side: int, mode: str) -> None:
    """Puts pixels N x height x width x channels (1 or 3) into the array of all images, in its mode and size."""
    n_channels = pixels.shape[3]
    if pixels.shape[1:3] == (side, side) and mode == "RGB":
        for channel in range(3):  # of grey, all the same; many times faster than NumPy's own broadcasting
            images[places, ..., channel] = pixels[..., channel % n_channels]
    elif pixels.shape[1:3] == (side, side) and mode == "L" and n_channels == 1:
        images[places] = pixels[..., 0]
    else:
        from PIL import Image as PillowImage

        each = (PillowImage.fromarray(image[..., 0] if n_channels == 1 else image) for image in pixels)
        images[places] = np.stack([_to_square(image, side, mode) for image in each])


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
