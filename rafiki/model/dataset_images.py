"""Datasets of type IMAGE_FILES, decoded."""

from __future__ import annotations

import operator
from typing import Iterator, List, Optional, Tuple

import numpy as np

from rafiki.model.dataset_cache import cached_images
from rafiki.model.image_decoding import decode_images


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
        decoded = cached_images(
            dataset_path, cache_dir, arguments, lambda allocate: decode_images(dataset_path, *arguments, allocate)
        )
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
