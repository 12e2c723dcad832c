"""The archives of type IMAGE_FILES: `images.csv` (columns `path` and `class`), and the images it names."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, List, NamedTuple, NoReturn, Optional, Tuple

import numpy as np

from rafiki.model.dataset_archive import Archive

if TYPE_CHECKING:
    from PIL.Image import Image

#: Larger images are refused (Pillow's own threshold for a decompression bomb).
MAX_PIXELS = 89_478_485

_SUFFIXES = (".png", ".jpg", ".jpeg")


class ImageRow(NamedTuple):
    """One row of `images.csv`."""

    row: int  # the header is row 1
    member: str  # the image's name in the archive
    image_class: int


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


def read_image(archive: Archive, row: ImageRow, data: Optional[bytes] = None) -> Image:
    """One decoded image, of its own size and mode. 16-bit grey is brought down to 8 bits.

    `data` are its bytes, if they have been read already.
    """
    image = _open_image(archive, row, archive.read(row.member) if data is None else data)
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
    return _open_image(archive, row, archive.read(row.member)).size


def _open_image(archive: Archive, row: ImageRow, data: bytes) -> Image:
    from PIL import Image as PillowImage
    from PIL import UnidentifiedImageError

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
