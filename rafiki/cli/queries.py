"""From what stands on a command line to a query: JSON, files, images, tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rafiki.errors import InvalidQueryError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
_FORMS = "JSON, @FILE, an image or .npy file, or - for standard input"


def read_query(given: str) -> Any:
    """One query: JSON text, `@file` of JSON, the path of an image or `.npy` file, or `-`: JSON on standard input."""
    if given == "-":
        return _json(sys.stdin.read(), "standard input")
    if given.startswith("@"):
        return _read_file(Path(given[1:]))
    if Path(given).suffix.lower() in {*IMAGE_SUFFIXES, ".npy"}:
        return _read_file(Path(given))
    if Path(given).suffix.lower() == ".csv":
        raise InvalidQueryError(f"{given} is a table, which holds many queries", "give it with --queries")
    return _json(given, "the query")


def read_queries(given: str) -> list[Any]:
    """Many queries: a JSON list, as `read_query` takes it; or the rows of a CSV file, as features by name."""
    path = Path(given.removeprefix("@"))
    if path.suffix.lower() == ".csv":
        from rafiki.tasks.query_files import read_csv_file  # as a predictor reads it

        return read_csv_file(_existing(path).read_bytes())
    queries = read_query(given)
    if hasattr(queries, "tolist"):  # an array: its first axis is the queries
        queries = list(queries)
    if not isinstance(queries, list):
        raise InvalidQueryError(f"{given!r:.80} holds no list of queries", "for a single one there is --query")
    return queries


def _read_file(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return _image(path)
    if suffix == ".npy":
        import numpy as np

        return np.load(_existing(path), allow_pickle=False)
    return _json(_text(path), str(path))


def _image(path: Path) -> Any:
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(_existing(path)) as image:
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise InvalidQueryError(f"{path} is no image") from error


def _text(path: Path) -> str:
    return _existing(path).read_text(encoding="utf-8-sig")


def _existing(path: Path) -> Path:
    local = path.expanduser()
    if not local.is_file():
        raise InvalidQueryError(f"there is no file {local}", f"a query is {_FORMS}")
    return local


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidQueryError(
            f"{what} is no JSON: {error}", f"a query is {_FORMS}; a text needs its quotes"
        ) from error
