"""Datasets of type CORPUS: a zip with `corpus.tsv` (columns `token` and tags), one token a row."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union, overload

from rafiki.model.dataset_archive import Archive, shorten

#: A token and its tags.
TaggedToken = List[Any]
Sentence = List[TaggedToken]


class CorpusDataset:
    """Sentences: `dataset[i]`, slices and iteration give them as lists of `[token, tag_1, ...]` (a str, then ints).

    `size` is the number of sentences, `tags` the names of the tag columns, `tag_num_classes` their largest
    tag + 1, `max_token_len` in characters, `max_sent_len` in tokens. Empty sentences are left out.
    """

    def __init__(self, dataset_path: str, tags: Optional[Sequence[str]] = None, split_by: str = "\\n") -> None:
        """`split_by` is the token that ends a sentence; a last sentence without it counts."""
        self.path = dataset_path
        self.tags = ["tag"] if tags is None else list(tags)
        self._sentences: List[Sentence] = []
        self.tag_num_classes: List[int] = [0] * len(self.tags)
        self.max_token_len = 0
        self._load(split_by)
        self.size = len(self._sentences)
        self.max_sent_len = max(map(len, self._sentences))

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Sentence: ...
    @overload
    def __getitem__(self, index: slice) -> List[Sentence]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Sentence, List[Sentence]]:
        return self._sentences[index]

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self._sentences)

    def _load(self, split_by: str) -> None:
        with Archive(self.path, "corpus.tsv") as archive:
            header, sentences = read_sentence_lines(archive, self.tags, split_by)
            columns = archive.find_columns(header.split("\t"), ["token", *self.tags])
            parser = _TokenParser(archive, columns, self.tags)
            for lines in sentences:
                self._add([parser.parse(line.split("\t"), row) for row, line in lines])
            if not self._sentences:
                archive.fail("corpus.tsv has no sentences; expected at least one token")

    def _add(self, sentence: Sentence) -> None:
        self._sentences.append(sentence)
        self.max_token_len = max(self.max_token_len, max(len(token[0]) for token in sentence))
        for i, n_classes in enumerate(self.tag_num_classes):
            self.tag_num_classes[i] = max(n_classes, max(token[i + 1] for token in sentence) + 1)


def read_sentence_lines(
    archive: Archive, tags: Sequence[str], split_by: str = "\\n"
) -> Tuple[str, Iterator[List[Tuple[int, str]]]]:
    """The header of `corpus.tsv`, which has the columns `token` and `tags`, and of each sentence the numbers and texts
    of its lines. Sentences without tokens and empty lines are passed over."""
    # Only line feeds end rows: tokens may hold every other kind of space, and any kind of quote.
    lines = [line.rstrip("\r") for line in archive.read_text().split("\n")]
    column = archive.find_columns(lines[0].split("\t"), ["token", *tags])[0]

    def sentences() -> Iterator[List[Tuple[int, str]]]:
        sentence: List[Tuple[int, str]] = []
        for row, line in enumerate(lines[1:], start=2):
            if line and line.split("\t", column + 1)[column : column + 1] != [split_by]:
                sentence.append((row, line))
            elif line and sentence:
                yield sentence
                sentence = []
        if sentence:
            yield sentence

    return lines[0], sentences()


class _TokenParser:
    """Rows of `corpus.tsv` into tagged tokens. Tags are few and repeat: each spelling is checked once."""

    def __init__(self, archive: Archive, columns: List[int], tags: List[str]) -> None:
        self._archive = archive
        self._columns = columns
        self._tags = tags
        self._n_cells = max(columns) + 1
        self._known: Dict[str, int] = {}

    def parse(self, cells: List[str], row: int) -> TaggedToken:
        if len(cells) < self._n_cells:
            column = ["token", *self._tags][self._columns.index(self._n_cells - 1)]
            line = shorten("\t".join(cells))
            self._archive.fail_at(row, column, f"expected a token and its tags, separated by tabs, got {line}")
        token = cells[self._columns[0]]
        if not token:
            self._archive.fail_at(row, "token", "it is empty; expected a token")
        known = self._known
        tagged: TaggedToken = [token]
        for place, tag in zip(self._columns[1:], self._tags):
            text = cells[place]
            if text not in known:
                known[text] = self._archive.parse_class(text, row, tag)
            tagged.append(known[text])
        return tagged
