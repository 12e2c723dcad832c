"""What people want to see of a dataset: figures, and some of its items, as JSON that a page can show."""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from typing import Any, Dict, Hashable, Iterable, List, Optional, Tuple

import numpy as np

from rafiki.model.dataset_archive import Archive
from rafiki.model.dataset_corpus import CorpusDataset
from rafiki.model.dataset_tabular import TabularFile, read_columns, scan_columns, sort_class_values
from rafiki.model.image_archive import ImageRow, open_image_archive, read_image, read_image_rows, read_image_size
from rafiki.model.tabular_schema import NUMBER, TEXT, TabularColumn, to_plain

#: Lists of counts end after this many.
MAX_COUNTED = 1000
_MAX_SIZES = 20
_MAX_VALUES = 20
#: Previews are for the eye: a side of an image in pixels, tokens of a sentence, characters of a text.
_MAX_SIDE = 96
_MAX_TOKENS = 200
_MAX_TEXT = 200


def image_stats(path: str) -> Dict[str, Any]:
    """`n_items`, `n_classes` (largest + 1), `class_counts`, and the most frequent `image_sizes`."""
    with open_image_archive(path) as archive:
        rows = read_image_rows(archive)
        sizes = Counter(read_image_size(archive, row) for row in rows)
    return {
        "n_items": len(rows),
        "n_classes": max(row.image_class for row in rows) + 1,
        "class_counts": _count_classes(row.image_class for row in rows),
        "n_image_sizes": len(sizes),
        "image_sizes": [
            {"width": width, "height": height, "n": n} for (width, height), n in sizes.most_common(_MAX_SIZES)
        ],
    }


def image_preview(path: str, limit: int) -> List[Dict[str, Any]]:
    """Images as data URLs of small PNG files."""
    with open_image_archive(path) as archive:
        rows = read_image_rows(archive)
        chosen = [rows[i] for i in _spread(len(rows), limit)]
        return [{"query": _thumbnail(archive, row), "label": row.image_class} for row in chosen]


def _thumbnail(archive: Archive, row: ImageRow) -> str:
    image = read_image(archive, row).convert("RGB")
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    data = io.BytesIO()
    image.save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode("ascii")


def corpus_stats(path: str) -> Dict[str, Any]:
    """`n_items` (sentences), `n_tokens`, `n_distinct_tokens`, lengths of sentences, `n_classes` and `class_counts`."""
    corpus = CorpusDataset(path)
    n_tokens = sum(map(len, corpus))
    return {
        "n_items": corpus.size,
        "n_tokens": n_tokens,
        "n_distinct_tokens": len({token for sentence in corpus for token, _ in sentence}),
        "mean_sentence_length": n_tokens / corpus.size,
        "max_sentence_length": corpus.max_sent_len,
        "n_classes": corpus.tag_num_classes[0],
        "class_counts": _count_classes(tag for sentence in corpus for _, tag in sentence),
    }


def corpus_preview(path: str, limit: int) -> List[Dict[str, Any]]:
    corpus = CorpusDataset(path)
    chosen = [corpus[i][:_MAX_TOKENS] for i in _spread(corpus.size, limit)]
    return [{"query": [token for token, _ in s], "label": [tag for _, tag in s]} for s in chosen]


def table_stats(path: str, has_classes: bool) -> Dict[str, Any]:
    """`n_items`, and of each of `columns` its name, type, missing values and what those that are there are like.

    Where the task has classes also `n_classes` and `class_counts` of the last column, the target by default, with the
    `value` that each class is.
    """
    file = TabularFile(path)
    columns = scan_columns(file)
    arrays = read_columns(file, columns)
    stats = {
        "n_items": len(arrays[0]),
        "columns": [_describe_column(column, values) for column, values in zip(columns, arrays)],
        "target": columns[-1].name,
    }
    return {**stats, **_class_stats(columns[-1], arrays[-1])} if has_classes else stats


def _class_stats(column: TabularColumn, values: np.ndarray) -> Dict[str, Any]:
    counts = Counter(values[~column.find_missing(values)].tolist())
    class_values = sort_class_values(counts)
    listed = enumerate(class_values[:MAX_COUNTED])
    return {
        "n_classes": len(class_values),
        "class_counts": [{"class": i, "value": _cut(value), "n": counts[value]} for i, value in listed],
    }


def table_preview(path: str, limit: int) -> List[Dict[str, Any]]:
    """Rows as queries; the last column, the target by default, is the label."""
    file = TabularFile(path)
    columns = scan_columns(file)
    arrays = read_columns(file, columns)
    items = []
    for i in _spread(len(arrays[0]), limit):
        row = {column.name: _cut(to_plain(values[i])) for column, values in zip(columns, arrays)}
        label = row.pop(columns[-1].name)
        items.append({"query": row, "label": label})
    return items


def _describe_column(column: TabularColumn, values: np.ndarray) -> Dict[str, Any]:
    is_missing = column.find_missing(values)
    present = values[~is_missing]
    described: Dict[str, Any] = {"name": column.name, "type": column.type, "n_missing": int(is_missing.sum())}
    if column.type == NUMBER and len(present):
        described.update(min=float(present.min()), max=float(present.max()), mean=_mean(present))
    if column.type in (NUMBER, TEXT):
        described["n_distinct"] = len(set(present.tolist()))
    else:
        counts = Counter(present.tolist())
        described["n_distinct"] = len(counts)
        described["values"] = [{"value": _cut(value), "n": n} for value, n in counts.most_common(_MAX_VALUES)]
    return described


def _mean(values: np.ndarray) -> Optional[float]:
    with np.errstate(over="ignore"):
        mean = float(values.mean())
    return mean if math.isfinite(mean) else None  # of huge numbers, which are no JSON


def _count_classes(classes: Iterable[Hashable]) -> List[Dict[str, Any]]:
    """How often each class is there, by class."""
    counts: Counter[Any] = Counter(classes)
    listed: List[Tuple[Any, int]] = sorted(counts.items())[:MAX_COUNTED]
    return [{"class": key, "n": n} for key, n in listed]


def _cut(value: Any) -> Any:
    return value[: _MAX_TEXT - 3] + "..." if isinstance(value, str) and len(value) > _MAX_TEXT else value


def _spread(n_items: int, limit: int) -> List[int]:
    """At most `limit` positions, from the first to the last of `n_items`, at equal distances."""
    return sorted(set(np.linspace(0, n_items - 1, min(limit, n_items)).astype(int).tolist()))
