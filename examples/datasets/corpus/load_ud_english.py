"""Makes CORPUS datasets from Universal Dependencies' English Web Treebank: 4,078 sentences from the web.

Writes data/ud_english_{train,val}.zip and data/ud_english_meta.tsv (the names of the 17 universal tags), from two files
that are downloaded, or taken from a folder:

    python examples/datasets/corpus/load_ud_english.py
    python examples/datasets/corpus/load_ud_english.py --from ~/Downloads/UD_English-EWT

These are the treebank's two smaller parts, so that a tagger is trained within a minute: `dev` becomes the training
dataset, `test` the validation dataset. The treebank's licence is CC BY-SA 4.0.
"""

import argparse
import sys
from pathlib import Path

from rafiki.model import dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # this script may be run from anywhere
from examples.datasets.sources import SourceError, check_shares, find_or_download, run_script, write_table

_URL = "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/r2.15/"
_TAGS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
)  # fmt: skip
_N_COLUMNS = 10

Sentence = list[tuple[str, int]]


def load_ud_english(
    out_train_dataset_path: str = "data/ud_english_train.zip",
    out_val_dataset_path: str = "data/ud_english_val.zip",
    out_meta_tsv_path: str = "data/ud_english_meta.tsv",
    limit: int | None = None,
    from_dir: str | None = None,
) -> None:
    """Writes the two datasets and the names of the tags. `limit` bounds the number of sentences of each."""
    check_shares(limit)
    for part, path in (("dev", out_train_dataset_path), ("test", out_val_dataset_path)):
        file_name = f"en_ewt-ud-{part}.conllu"
        source = find_or_download(file_name, _URL + file_name, from_dir)
        sentences = parse_conllu(source.read_text(encoding="utf-8"), file_name)[:limit]
        dataset.write_dataset_of_corpus(path, sentences)
        print(f"{path}: {len(sentences)} sentences, {sum(map(len, sentences))} tokens")
    write_table(Path(out_meta_tsv_path), "\t", ("tag", "name"), list(enumerate(_TAGS)))


def parse_conllu(text: str, file_name: str = "text") -> list[Sentence]:
    """The sentences of a file in CoNLL-U format, as lists of `(word, number of its universal tag)`.

    Its lines are a word's values, separated by tabs, or a comment; a blank line ends a sentence. What has no plain
    number (`8-9`, one text for two words; `8.1`, a word that is not written) is no word of its own.
    """
    sentences: list[Sentence] = [[]]
    for line_no, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            sentences.append([])
        elif not line.startswith("#"):
            values = line.split("\t")
            if len(values) != _N_COLUMNS:
                raise SourceError(f"{file_name}, line {line_no}: {len(values)} values, expected {_N_COLUMNS}")
            number, word, _, tag = values[:4]
            if number.isdigit():
                if tag not in _TAGS:
                    raise SourceError(f"{file_name}, line {line_no}: the tag {tag!r}, expected one of {_TAGS}")
                sentences[-1].append((word, _TAGS.index(tag)))
    return [sentence for sentence in sentences if sentence]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="the most sentences of each dataset (default: all)")
    parser.add_argument("--from", dest="from_dir", metavar="DIR", help="the folder that has the two files")
    args = parser.parse_args()
    run_script(lambda: load_ud_english(limit=args.limit, from_dir=args.from_dir))
