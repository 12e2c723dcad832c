"""Making dataset files: the other half of `dataset_images` and `dataset_corpus`.

The same data gives the same bytes, whenever and wherever it is written, and a file is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from typing import Any, Iterable, Iterator, List, Sequence

from rafiki.model.image_arrays import to_pillow


def write_image_files(dataset_path: str, images: Iterable[Any], classes: Sequence[int]) -> None:
    """Writes images as PNG files, `images/0.png` and so on, and `images.csv`."""
    rows = ["path,class"]
    with _new_archive(dataset_path) as archive:
        for i, image in enumerate(images):
            name = f"images/{i}.png"
            data = io.BytesIO()
            to_pillow(image).save(data, "PNG")
            _add(archive, name, data.getvalue(), zipfile.ZIP_STORED)
            rows.append(f"{name},{int(classes[i])}")
        if len(rows) != len(classes) + 1:
            raise ValueError(f"there are {len(rows) - 1} images and {len(classes)} classes")
        _add(archive, "images.csv", _lines(rows), zipfile.ZIP_DEFLATED)


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
    with _new_archive(dataset_path) as archive:
        _add(archive, "corpus.tsv", _lines(rows), zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def _new_archive(path: str) -> Iterator[zipfile.ZipFile]:
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    temporary_path = f"{path}.{os.getpid()}.tmp"
    try:
        with zipfile.ZipFile(temporary_path, "w") as archive:
            yield archive
        os.replace(temporary_path, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary_path)
        raise


def _add(archive: zipfile.ZipFile, name: str, data: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name)  # dated 1980, wherever it is made
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _lines(rows: List[str]) -> bytes:
    return ("\n".join(rows) + "\n").encode("utf-8")
