"""Splitting a dataset: which items go into which part, and files of the parts with the items as they are."""

from __future__ import annotations

import zipfile
from typing import IO, Dict, Hashable, Iterable, List, Sequence

import numpy as np

from rafiki.errors import InvalidDatasetFormatException
from rafiki.model.atomic import new_file
from rafiki.model.dataset_archive import Archive
from rafiki.model.dataset_corpus import read_sentence_lines
from rafiki.model.dataset_tabular import TabularFile
from rafiki.model.dataset_writers import add_member, new_archive
from rafiki.model.image_archive import open_image_archive, read_image_rows


def assign_parts(labels: Sequence[Hashable], fractions: Sequence[float], seed: int) -> List[int]:
    """The part, 0 to k-1, of each item, by the items' labels: each label is spread over the parts as `fractions` says.

    The same arguments always give the same parts. The first part has an item of every label, so that a model that
    learns from it meets all there are; no part is empty. Without labels to go by, give equal ones.
    """
    if any(fraction <= 0 for fraction in fractions) or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"the fractions are {list(fractions)}; expected positive ones that sum to 1")
    if len(labels) < len(fractions):
        raise InvalidDatasetFormatException(
            f"the dataset has {len(labels)} items, and cannot be split into {len(fractions)} parts",
            "give a dataset with more items, or one for validation",
        )
    numbers: Dict[Hashable, int] = {}
    label_numbers = np.array([numbers.setdefault(label, len(numbers)) for label in labels])
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_label = shuffled[np.argsort(label_numbers[shuffled], kind="stable")].tolist()
    firsts = set(np.unique(label_numbers[by_label], return_index=True)[1].tolist())

    parts = [0] * len(labels)
    counts = [0] * len(fractions)
    for n_done, i in enumerate(by_label):
        if n_done not in firsts:
            # The part that lacks most of what it should have by now.
            lacking = [fraction * (n_done + 1) - count for fraction, count in zip(fractions, counts)]
            parts[i] = lacking.index(max(lacking))
        counts[parts[i]] += 1
    return _without_empty_parts(parts, counts)


def _without_empty_parts(parts: List[int], counts: List[int]) -> List[int]:
    for part, count in enumerate(counts):
        if count == 0:
            largest = max(range(len(counts)), key=counts.__getitem__)
            parts[len(parts) - 1 - parts[::-1].index(largest)] = part
            counts[largest] -= 1
            counts[part] += 1
    return parts


def split_image_files(path: str, out_paths: Sequence[str], fractions: Sequence[float], seed: int) -> List[int]:
    """Splits IMAGE_FILES, by class. Images are copied, not encoded again; all columns of `images.csv` are kept."""
    with open_image_archive(path) as archive:
        rows = read_image_rows(archive)
        parts = assign_parts([row.image_class for row in rows], fractions, seed)
        texts = {record.row: record.text for record in archive.read_records()}
        header = texts[min(texts)]
        for part, out_path in enumerate(out_paths):
            chosen = [row for row, its_part in zip(rows, parts) if its_part == part]
            with new_archive(out_path) as out:
                for member in dict.fromkeys(row.member for row in chosen):
                    # PNG and JPEG are compressed already.
                    add_member(out, member, archive.read(member), zipfile.ZIP_STORED)
                index = _joined([header, *(texts[row.row] for row in chosen)])
                add_member(out, archive.index_name, index, zipfile.ZIP_DEFLATED)
    return [parts.count(part) for part in range(len(out_paths))]


def split_corpus(path: str, out_paths: Sequence[str], fractions: Sequence[float], seed: int) -> List[int]:
    """Splits CORPUS, by sentence."""
    with Archive(path, "corpus.tsv") as archive:
        header, sentences = read_sentence_lines(archive, [])
        texts = ["\n".join(line for _, line in sentence) for sentence in sentences]
        n_before = archive.find_columns(header.split("\t"), ["token"])[0]
    n_after = header.count("\t") - n_before
    end = "0\t" * n_before + "\\n" + "\t0" * n_after
    parts = assign_parts([0] * len(texts), fractions, seed)
    for part, out_path in enumerate(out_paths):
        chosen = [text for text, its_part in zip(texts, parts) if its_part == part]
        with new_archive(out_path) as out:
            lines = _joined([header, *(f"{text}\n{end}" for text in chosen)])
            add_member(out, "corpus.tsv", lines, zipfile.ZIP_DEFLATED)
    return [parts.count(part) for part in range(len(out_paths))]


def split_table(
    path: str, out_paths: Sequence[str], fractions: Sequence[float], seed: int, labels: Sequence[Hashable]
) -> List[int]:
    """Splits TABULAR, by the rows' labels."""
    parts = assign_parts(labels, fractions, seed)
    for part, out_path in enumerate(out_paths):
        with new_file(out_path) as out:
            rows = TabularFile(path).rows()
            _write(out, [next(rows).text])
            _write(out, (record.text for record, its_part in zip(rows, parts) if its_part == part))
    return [parts.count(part) for part in range(len(out_paths))]


def _write(out: IO[bytes], texts: Iterable[str]) -> None:
    for text in texts:
        out.write(_joined([text]))


def _joined(texts: Sequence[str]) -> bytes:
    """Rows as they are, each with an end of its line, which a file's last one may lack."""
    return "".join(text if text.endswith(("\n", "\r")) else text + "\n" for text in texts).encode("utf-8")
