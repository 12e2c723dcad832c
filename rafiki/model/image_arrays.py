"""Images as NumPy arrays: normalised, resized, converted, loaded from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

import numpy as np

from rafiki.model.image_decoding import BICUBIC

if TYPE_CHECKING:
    from PIL.Image import Image

# Work goes through the images in pieces that stay in a processor's cache.
_PIECE_VALUES = 1 << 16
# A uint32 holds the sum of this many squares of bytes.
_MAX_PIECE_ROWS = 1 << 15


def normalize_images(
    images: Any, mean: Optional[Sequence[float]] = None, std: Optional[Sequence[float]] = None
) -> Tuple[Any, Any, Any]:
    """`(images, mean, std)`: images scaled from 0..255 to [0, 1], then, per channel, less `mean` and divided by `std`.

    `images` are N x H x W (one channel) or N x H x W x channels; the result is float64 of that shape. `mean` and `std`
    come back as lists with one Python float per channel; those not given are the images' own. Where `std` is 0, the
    result is 0 for images equal to the mean. No images come back as they are, with the `mean` and `std` that were
    given, as lists, or None.
    """
    if len(images) == 0:
        return images, _as_list(mean), _as_list(std)
    array = np.asarray(images)
    if array.ndim not in (3, 4):
        raise ValueError(f"expected images as an array N x H x W or N x H x W x channels, got the shape {array.shape}")
    n_channels = array.shape[3] if array.ndim == 4 else 1
    # Everything below sees one row per image, its channels side by side.
    rows = array.reshape(len(array), -1)
    if mean is None or std is None:
        own_mean, own_std = _moments(rows, n_channels)
        mean = own_mean if mean is None else mean
        std = own_std if std is None else std
    mean = _per_channel(mean, n_channels, "mean")
    std = _per_channel(std, n_channels, "std")
    return _scale(rows, mean, std).reshape(array.shape), mean, std


def _scale(rows: np.ndarray, mean: List[float], std: List[float]) -> np.ndarray:
    n_pixels = rows.shape[1] // len(mean)
    row_mean = np.tile(mean, n_pixels)
    row_std = np.tile([value or 1.0 for value in std], n_pixels)
    scaled = np.empty(rows.shape, np.float64)
    n_rows = max(1, _PIECE_VALUES // max(1, rows.shape[1]))
    for start in range(0, len(rows), n_rows):
        piece = scaled[start : start + n_rows]
        np.divide(rows[start : start + n_rows], 255.0, out=piece)
        piece -= row_mean
        piece /= row_std
    return scaled


def _moments(rows: np.ndarray, n_channels: int) -> Tuple[List[float], List[float]]:
    """Mean and standard deviation per channel of images scaled to [0, 1]."""
    if rows.dtype != np.uint8:
        channels = rows.reshape(-1, n_channels) / 255.0
        return channels.mean(axis=0).tolist(), channels.std(axis=0).tolist()
    # Bytes are summed as integers: exact, and many times faster than by way of floats.
    sums = np.zeros(rows.shape[1], np.uint64)
    square_sums = np.zeros(rows.shape[1], np.uint64)
    n_rows = min(max(1, _PIECE_VALUES // max(1, rows.shape[1])), _MAX_PIECE_ROWS)
    for start in range(0, len(rows), n_rows):
        piece = rows[start : start + n_rows]
        sums += piece.sum(axis=0, dtype=np.uint32)
        square_sums += np.multiply(piece, piece, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
    n = rows.size // n_channels
    totals = sums.reshape(-1, n_channels).sum(axis=0).tolist()
    square_totals = square_sums.reshape(-1, n_channels).sum(axis=0).tolist()
    mean = [total / n / 255.0 for total in totals]
    # In Python's integers, where nothing cancels or overflows.
    variance = [(n * square - total * total) / (n * n) for total, square in zip(totals, square_totals)]
    return mean, [value**0.5 / 255.0 for value in variance]


def _as_list(values: Any) -> Optional[List[float]]:
    return None if values is None else [float(value) for value in np.atleast_1d(values)]


def _per_channel(values: Any, n_channels: int, name: str) -> List[float]:
    floats = _as_list(values) or []
    if len(floats) not in (1, n_channels):
        raise ValueError(f"`{name}` has {len(floats)} values; expected one per channel, {n_channels}")
    return floats if len(floats) == n_channels else floats * n_channels


def transform_images(images: Any, image_size: Optional[int] = None, mode: Optional[str] = None) -> np.ndarray:
    """Images converted to `mode` and resized to `image_size` x `image_size`, in one array; `None` leaves as it is.

    `images` is a sequence of arrays (or nested lists) of 0..255, H x W or H x W x channels, of any sizes.
    """
    arrays = []
    for image in images:
        picture = to_pillow(image)
        if mode is not None and picture.mode != mode:
            picture = picture.convert(mode)
        if image_size is not None and picture.size != (image_size, image_size):
            picture = picture.resize((image_size, image_size), BICUBIC)
        arrays.append(np.asarray(picture))
    return _stack(arrays, "`image_size`")


def load_images(image_paths: Sequence[str], mode: str = "RGB") -> np.ndarray:
    """Images of one size from files, in one array N x H x W (x channels)."""
    from PIL import Image as PillowImage

    arrays = []
    for path in image_paths:
        with PillowImage.open(path) as image:
            arrays.append(np.asarray(image.convert(mode)))
    return _stack(arrays, "images of one size")


def to_pillow(image: Any) -> Image:
    """An array of 0..255, H x W or H x W x channels, as a Pillow image. Raises `ValueError` for other values."""
    from PIL import Image as PillowImage

    array = np.asarray(image)
    if array.dtype != np.uint8:
        array = _to_bytes(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return PillowImage.fromarray(np.ascontiguousarray(array))


def _to_bytes(array: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        converted = array.astype(np.uint8)
    wrong = converted != array  # out of range wraps around, fractions are cut off
    if wrong.any():
        raise ValueError(f"an image has the value {array[wrong][0]}; expected whole numbers from 0 to 255")
    return converted


def _stack(arrays: List[np.ndarray], expected: str) -> np.ndarray:
    for i, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"image {i} has the shape {array.shape} and image 0 {arrays[0].shape}: give {expected} to have them "
                "in one array"
            )
    return np.stack(arrays) if arrays else np.empty((0,), np.uint8)
