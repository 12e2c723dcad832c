from pathlib import Path

import pytest

from rafiki.model import InvalidDatasetFormatException, dataset

CORPUS = 'token\ttag\nTwo\t0\nwords\t3\n\\n\t0\n\\n\t\nA\t1\n\\n\n"\t2\nit\'s\t0\n`"quoted"\t4'


def test_gives_sentences(make_zip) -> None:
    path = make_zip({"corpus.tsv": CORPUS})
    corpus = dataset.load_dataset_of_corpus(path)
    sentences = [[["Two", 0], ["words", 3]], [["A", 1]], [['"', 2], ["it's", 0], ['`"quoted"', 4]]]
    assert list(corpus) == sentences
    assert (corpus.size, len(corpus), corpus.tags, corpus.tag_num_classes) == (3, 3, ["tag"], [5])
    assert (corpus.max_token_len, corpus.max_sent_len, corpus.path) == (9, 3, path)
    assert corpus[1] == sentences[1]
    assert corpus[-1] == sentences[2]
    assert corpus[1:] == sentences[1:]
    assert corpus[2:10] == sentences[2:]
    assert corpus[5:] == []
    assert corpus[::-1] == sentences[::-1]
    with pytest.raises(IndexError):
        corpus[3]


def test_tags_are_chosen_by_name(make_zip) -> None:
    path = make_zip({"corpus.tsv": "upos\ttoken\tignored\txpos\r\n1\ta\tx\t5\r\n\t\\n\t\t\r\n2\tb\ty\t0\r\n"})
    corpus = dataset.load_dataset_of_corpus(path, tags=["xpos", "upos"])
    assert list(corpus) == [[["a", 5, 1]], [["b", 0, 2]]]
    assert corpus.tag_num_classes == [6, 3]
    assert list(dataset.load_dataset_of_corpus(path, tags=[])) == [[["a"]], [["b"]]]


def test_another_token_may_end_sentences(make_zip) -> None:
    path = make_zip({"corpus.tsv": "token\ttag\na\t0\n.\t1\nb\t0\n\\n\t0\n"})
    assert list(dataset.load_dataset_of_corpus(path, split_by=".")) == [[["a", 0]], [["b", 0], ["\\n", 0]]]


def test_only_line_feeds_end_rows(make_zip) -> None:
    path = make_zip({"corpus.tsv": "token\ttag\na\u2028b\x0b\x85\t1\n\xa0\t0\n"})
    assert list(dataset.load_dataset_of_corpus(path)) == [[["a\u2028b\x0b\x85", 1], ["\xa0", 0]]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["row 1", "'token'"]),
        ("token\tlabel\n", ["row 1", "'tag'", "'label'"]),
        ("token\ttag\n", ["no sentences"]),
        ("token\ttag\n\\n\t0\n", ["no sentences"]),
        ("token\ttag\na\t0\nb\tNN\n", ["row 3", "'tag'", "'NN'", "integer"]),
        ("token\ttag\na\t-2\n", ["row 2", "'tag'", "'-2'"]),
        ("token\ttag\na\n", ["row 2", "'tag'", "tabs"]),
        ("token\ttag\n\t0\n", ["row 2", "'token'", "empty"]),
        ("token\ttag\na\0\t0\n", ["row 2", "NUL"]),
    ],
)
def test_says_what_is_wrong_and_where(make_zip, text: str, expected: list[str]) -> None:
    with pytest.raises(InvalidDatasetFormatException) as error:
        dataset.load_dataset_of_corpus(make_zip({"corpus.tsv": text}))
    for part in ["corpus.tsv", *expected]:
        assert part in str(error.value)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / "corpus.zip")
    sentences = [[["a", 0, 1], ['"', 1, 0]], [["\u2028", 2, 2]]]
    dataset.write_dataset_of_corpus(path, sentences, tags=["x", "y"])
    assert list(dataset.load_dataset_of_corpus(path, tags=["x", "y"])) == sentences
    for token in ("", "a\tb", "\\n", "a\n"):
        with pytest.raises(ValueError, match="cannot be a token"):
            dataset.write_dataset_of_corpus(path, [[[token, 0]]])
    assert list(dataset.load_dataset_of_corpus(path, tags=["y"])) == [[["a", 1], ['"', 0]], [["\u2028", 2]]]
