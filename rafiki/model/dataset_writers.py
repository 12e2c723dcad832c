"""Making dataset files: the other half of `dataset_images` and `dataset_corpus`.

The same data gives the same bytes, whenever and wherever it is written, and a file is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from typing import Any, Iterable, Iterator, List, Sequence, Tuple

from rafiki.model.atomic import new_file
from rafiki.model.image_arrays import to_pillow


def write_image_files(dataset_path: str, images: Iterable[Any], classes: Sequence[int]) -> None:
    """Writes images, arrays or the paths of PNG and JPEG files, as `images/0.png` and so on, and `images.csv`."""
    rows = ["path,class"]
    with new_archive(dataset_path) as archive:
        for i, image in enumerate(images):
            suffix, data = _encoded(image)
            name = f"images/{i}{suffix}"
            add_member(archive, name, data, zipfile.ZIP_STORED)
            rows.append(f"{name},{int(classes[i])}")
        if len(rows) != len(classes) + 1:
            raise ValueError(f"there are {len(rows) - 1} images and {len(classes)} classes")
        add_member(archive, "images.csv", _lines(rows), zipfile.ZIP_DEFLATED)


def _encoded(image: Any) -> Tuple[str, bytes]:
    """An image as a file: how its name ends, and its bytes, those of a file as they are."""
    if isinstance(image, (str, os.PathLike)):
        with open(image, "rb") as file:
            return os.path.splitext(image)[1].lower(), file.read()
    data = io.BytesIO()
    to_pillow(image).save(data, "PNG")
    return ".png", data.getvalue()


def write_corpus(dataset_path: str, sentences: Iterable[Sequence[Sequence[Any]]], tags: Sequence[str]) -> None:
    """Writes sentences, lists of `[token, tag_1, ...]`, as `corpus.tsv`."""
    rows = ["\t".join(["token", *tags])]
    end_of_sentence = "\t".join(["\\n"] + ["0"] * len(tags))
    for sentence in sentences:
        for token, *token_tags in sentence:
            if len(token_tags) != len(tags):
                raise ValueError(f"the token {token!r} has {len(token_tags)} tags; expected {len(tags)}")
            if not token or any(separator in token for separator in "\t\r\n\0") or token == "\\n":
                raise ValueError(f"{token!r} cannot be a token of a corpus")
            rows.append("\t".join([token, *(str(int(tag)) for tag in token_tags)]))
        rows.append(end_of_sentence)
    with new_archive(dataset_path) as archive:
        add_member(archive, "corpus.tsv", _lines(rows), zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def new_archive(path: str) -> Iterator[zipfile.ZipFile]:
    """A zip archive to write, as `new_file`."""
    with new_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        yield archive


def add_member(archive: zipfile.ZipFile, name: str, data: bytes, compression: int) -> None:
    """Writes a file into an archive, the same bytes whenever it is made."""
    info = zipfile.ZipInfo(name)  # dated 1980, wherever it is made
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _lines(rows: List[str]) -> bytes:
    return ("\n".join(rows) + "\n").encode("utf-8")
