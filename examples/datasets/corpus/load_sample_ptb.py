r"""Makes CORPUS datasets from the Penn Treebank sample that NLTK distributes: 3,914 sentences of a newspaper.

Writes data/ptb_{train,val}.zip and data/ptb_meta.tsv (the names of the tags), from treebank.zip, which is downloaded,
or taken from a folder (as it is, or unpacked):

    python examples/datasets/corpus/load_sample_ptb.py
    python examples/datasets/corpus/load_sample_ptb.py --from ~/nltk_data/corpora

Its files treebank/tagged/*.pos have lines of `word/TAG`, with noun phrases in brackets that stand alone; sentences are
separated by blank lines or rows of `=`. A slash within a word is escaped: `1\/2/CD`.
"""

import argparse
import math
import sys
import zipfile
from pathlib import Path

import numpy as np

from rafiki.model import dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # this script may be run from anywhere
from examples.datasets.sources import (
    SourceError,
    check_shares,
    find_or_download,
    run_script,
    unpacked_files,
    write_table,
)

_URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/treebank.zip"

TaggedSentence = list[tuple[str, str]]


def load_sample_ptb(
    out_train_dataset_path: str = "data/ptb_train.zip",
    out_val_dataset_path: str = "data/ptb_val.zip",
    out_meta_tsv_path: str = "data/ptb_meta.tsv",
    validation_split: float = 0.1,
    limit: int | None = None,
    from_dir: str | None = None,
) -> None:
    """Writes the two datasets and the names of the tags.

    `validation_split` is the share of the sentences that becomes the validation dataset, `limit` bounds the number of
    sentences of each. The same arguments always choose the same sentences.
    """
    check_shares(limit, validation_split)
    sentences = _read_sentences(from_dir)
    tags = sorted({tag for sentence in sentences for _, tag in sentence})
    tag_numbers = {tag: i for i, tag in enumerate(tags)}

    order = np.random.default_rng(0).permutation(len(sentences))
    n_val = min(max(1, math.floor(len(sentences) * validation_split)), len(sentences) - 1)
    for path, chosen in (
        (out_train_dataset_path, order[n_val:][:limit]),
        (out_val_dataset_path, order[:n_val][:limit]),
    ):
        rows = [[(word, tag_numbers[tag]) for word, tag in sentences[i]] for i in chosen]
        dataset.write_dataset_of_corpus(path, rows)
        print(f"{path}: {len(rows)} sentences, {sum(map(len, rows))} tokens")
    write_table(Path(out_meta_tsv_path), "\t", ("tag", "name"), list(enumerate(tags)))


def parse_tagged(text: str, file_name: str = "text") -> list[TaggedSentence]:
    """The sentences of one `.pos` file, as lists of `(word, tag)`."""
    sentences: list[TaggedSentence] = [[]]
    for line_no, line in enumerate(text.splitlines(), start=1):
        chunks = line.split()
        if not chunks or set("".join(chunks)) == {"="}:
            sentences.append([])
            continue
        for chunk in chunks:
            if chunk in ("[", "]"):
                continue
            word, slash, tag = chunk.rpartition("/")  # tags have no slashes, so the last one separates
            if not slash or not word or not tag or word.endswith("\\"):
                raise SourceError(f"{file_name}, line {line_no}: {chunk!r}, expected word/TAG")
            sentences[-1].append((word.replace("\\/", "/"), tag))
    return [sentence for sentence in sentences if sentence]


def _read_sentences(from_dir: str | None) -> list[TaggedSentence]:
    # In a folder, treebank.zip may be unpacked already.
    is_packed = from_dir is None or (Path(from_dir) / "treebank.zip").is_file()
    source = find_or_download("treebank.zip", _URL, from_dir) if is_packed else Path(str(from_dir))
    try:
        files = unpacked_files(source, ".pos")
        texts = {name: data.decode("utf-8") for name, data in files.items()}
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise SourceError(f"{source} cannot be read: {error}") from error
    sentences = [sentence for name, text in texts.items() for sentence in parse_tagged(text, name)]
    if len(sentences) < 2:
        raise SourceError(f"{source} has {len(sentences)} sentences; expected treebank/tagged/*.pos to have some")
    print(f"Read {len(texts)} files: {len(sentences)} sentences")
    return sentences


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="the most sentences of each dataset (default: all)")
    parser.add_argument("--validation_split", type=float, default=0.1, help="share for validation (default: 0.1)")
    parser.add_argument(
        "--from", dest="from_dir", metavar="DIR", help="the folder that has treebank.zip or its content"
    )
    args = parser.parse_args()
    run_script(
        lambda: load_sample_ptb(validation_split=args.validation_split, limit=args.limit, from_dir=args.from_dir)
    )
