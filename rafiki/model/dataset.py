"""`utils.dataset`: loading datasets, and getting images into shape."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple, Union

import numpy as np

from rafiki.model import image_arrays
from rafiki.model.dataset_audio import AudioFilesDataset
from rafiki.model.dataset_corpus import CorpusDataset
from rafiki.model.dataset_images import ImageFilesDataset
from rafiki.model.dataset_tabular import TabularDataset, merge_class_values, spread_probabilities
from rafiki.model.tabular_schema import ClassValue, TabularSchema

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

__all__ = ["AudioFilesDataset", "CorpusDataset", "DatasetUtils", "ImageFilesDataset", "TabularDataset", "TabularSchema"]


class DatasetUtils:
    """What a template calls to load its datasets, and to prepare images the same way in training and in service.

    Malformed datasets raise `InvalidDatasetFormatException`, which says which file, row and column, and what was
    expected. A template may as well read the files in its own way.
    """

    def __init__(self) -> None:
        self._cache_dir: Optional[str] = None

    def set_cache_dir(self, path: Optional[str]) -> None:
        """Where decoded images are kept for later loads with the same arguments; `None`: nowhere."""
        self._cache_dir = None if path is None else os.fspath(path)

    def load_dataset_of_image_files(
        self,
        dataset_path: str,
        min_image_size: Optional[int] = None,
        max_image_size: Optional[int] = None,
        mode: str = "RGB",
        if_shuffle: bool = False,
    ) -> ImageFilesDataset:
        """Loads a dataset of type IMAGE_FILES, all images decoded, in Pillow's `mode`, and square.

        Their side is that of the first image's shorter one, at most `max_image_size`, at least `min_image_size`.
        """
        return ImageFilesDataset(dataset_path, min_image_size, max_image_size, mode, if_shuffle, self._cache_dir)

    def load_dataset_of_corpus(
        self, dataset_path: str, tags: Optional[Sequence[str]] = None, split_by: str = "\\n"
    ) -> CorpusDataset:
        """Loads a dataset of type CORPUS. `tags` names its tag columns (default: `tag`); `split_by` ends a sentence."""
        return CorpusDataset(dataset_path, tags, split_by)

    def load_dataset_of_audio_files(
        self, dataset_path: str, dataset_dir: Union[str, TemporaryDirectory[str]]
    ) -> AudioFilesDataset:
        """Loads a dataset of type AUDIO_FILES, its files extracted under `dataset_dir`. Needs pandas."""
        return AudioFilesDataset(dataset_path, dataset_dir)

    def load_dataset_of_tabular(
        self,
        dataset_path: str,
        features: Optional[Sequence[str]] = None,
        target: Optional[str] = None,
        schema: Optional[TabularSchema] = None,
    ) -> TabularDataset:
        """Loads a dataset of type TABULAR, a CSV file with a header, its columns typed.

        `target` is the last column by default, `features` are all others. With `schema`, the one of the training
        data (`TabularDataset.schema`), features, target and types are those of training.
        """
        return TabularDataset(dataset_path, features, target, schema)

    def merge_class_values(self, *class_values: Sequence[ClassValue]) -> List[ClassValue]:
        """The `TabularDataset.class_values` of several datasets taken together, in order: a class's position among
        those of all data is its position in a prediction."""
        return merge_class_values(*class_values)

    def spread_probabilities(
        self, probabilities: Any, class_values: Sequence[ClassValue], all_class_values: Sequence[ClassValue]
    ) -> np.ndarray:
        """Probabilities of the classes that a model was trained on (N x k) as ones of all classes (N x K, with 0 for
        those without a training row)."""
        return spread_probabilities(probabilities, class_values, all_class_values)

    def normalize_images(
        self, images: Any, mean: Optional[Sequence[float]] = None, std: Optional[Sequence[float]] = None
    ) -> Tuple[Any, Any, Any]:
        """See `rafiki.model.image_arrays.normalize_images`: `(images, mean, std)`."""
        return image_arrays.normalize_images(images, mean, std)

    def transform_images(self, images: Any, image_size: Optional[int] = None, mode: Optional[str] = None) -> np.ndarray:
        """Images of 0..255, of any sizes, as one array N x image_size x image_size [x channels] of `mode`."""
        return image_arrays.transform_images(images, image_size, mode)

    def load_images(self, image_paths: Sequence[str], mode: str = "RGB") -> np.ndarray:
        """Images of one size from files, as one array N x H x W [x channels]."""
        return image_arrays.load_images(image_paths, mode)

    def write_dataset_of_image_files(self, dataset_path: str, images: Any, classes: Sequence[int]) -> None:
        """Makes a dataset of type IMAGE_FILES from images and their classes.

        An image is an array of 0..255 (H x W or H x W x channels), or the path of a PNG or JPEG file, which is copied
        as it is.
        """
        from rafiki.model.dataset_writers import write_image_files

        write_image_files(dataset_path, images, classes)

    def write_dataset_of_corpus(self, dataset_path: str, sentences: Any, tags: Optional[Sequence[str]] = None) -> None:
        """Makes a dataset of type CORPUS from sentences, lists of `[token, tag_1, ...]`."""
        from rafiki.model.dataset_writers import write_corpus

        write_corpus(dataset_path, sentences, ["tag"] if tags is None else tags)
