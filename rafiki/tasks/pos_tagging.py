"""POS_TAGGING: CORPUS with one tag column; a query is a list of tokens, a prediction a list of tags."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from rafiki.errors import InvalidPredictionError, InvalidQueryError
from rafiki.model.dataset_archive import Archive
from rafiki.model.dataset_corpus import CorpusDataset, read_sentence_lines
from rafiki.tasks import describing, examples, splitting
from rafiki.tasks.base import Task, TrainArgs, check_counts, to_json_value


class PosTagging(Task):
    """A decoded query is a list of str, a prediction a list of as many ints."""

    def check_structure(self, path: str) -> None:
        with Archive(path, "corpus.tsv") as archive:
            _, sentences = read_sentence_lines(archive, ["tag"])
            if next(sentences, None) is None:
                archive.fail("corpus.tsv has no sentences; expected at least one token")

    def write_example(self, path: str) -> bool:
        examples.write_sentences(path)
        return True

    def check_dataset(self, path: str, train_args: TrainArgs = None) -> None:
        CorpusDataset(path)

    def iterate(
        self, path: str, train_args: TrainArgs = None, others: Sequence[str] = ()
    ) -> Iterator[Tuple[List[str], List[int]]]:
        for sentence in CorpusDataset(path):
            yield [token for token, _ in sentence], [tag for _, tag in sentence]

    def stats(self, path: str) -> Dict[str, Any]:
        return describing.corpus_stats(path)

    def preview(self, path: str, limit: int) -> List[Dict[str, Any]]:
        return describing.corpus_preview(path, limit)

    def split(
        self,
        path: str,
        out_paths: Sequence[str],
        fractions: Sequence[float],
        seed: int,
        train_args: TrainArgs = None,
    ) -> List[int]:
        return splitting.split_corpus(path, out_paths, fractions, seed)

    def decode_query(self, query: Any) -> List[str]:
        tokens = query.tolist() if isinstance(query, np.ndarray) else query
        if isinstance(tokens, tuple):
            tokens = list(tokens)
        if not isinstance(tokens, list):
            raise InvalidQueryError(f"query is a {type(query).__name__}, expected a sentence as a list of tokens")
        for i, token in enumerate(tokens):
            if not isinstance(token, str):
                raise InvalidQueryError(f"query[{i}] is a {type(token).__name__}, expected a token, a string")
        return tokens

    def check_prediction(self, query: Any, prediction: Any) -> List[int]:
        tags = to_json_value(prediction)
        if not isinstance(tags, list):
            raise InvalidPredictionError(
                f"a prediction is a {type(prediction).__name__}; expected a list of one tag per token"
            )
        if len(tags) != len(query):
            raise InvalidPredictionError(
                f"a prediction has {len(tags)} tags for a sentence of {len(query)} tokens; expected one per token"
            )
        for i, tag in enumerate(tags):
            if not _is_int(tag):
                raise InvalidPredictionError(f"prediction[{i}] is a {type(tag).__name__}; expected a tag, an integer")
        return tags

    def doubt(self, predictions: Sequence[Any], paths: Sequence[str]) -> Optional[str]:
        n_tags = max(CorpusDataset(path).tag_num_classes[0] for path in paths)
        unknown = sorted({tag for tags in predictions for tag in tags if not 0 <= tag < n_tags})
        if not unknown:
            return None
        return f"the tag {unknown[0]}, but those of the datasets are from 0 to {n_tags - 1}"

    def combine_batch(self, members: Sequence[Sequence[Any]]) -> List[Any]:
        if len(members) == 1:
            return [to_json_value(prediction) for prediction in members[0]]
        return [_vote(predictions) for predictions in zip(*members)]

    def score(self, predictions: Sequence[Any], labels: Sequence[Sequence[int]]) -> float:
        """Accuracy over all tokens of all sentences."""
        check_counts(predictions, labels)
        n_right = n_tokens = 0
        for prediction, tags in zip(predictions, labels):
            n_right += sum(p == tag for p, tag in zip(self.check_prediction(tags, prediction), tags))
            n_tokens += len(tags)
        if n_tokens == 0:
            raise ValueError("there are no tokens to score")
        return n_right / n_tokens


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _as_tags(prediction: Any) -> Optional[List[int]]:
    tags = to_json_value(prediction)
    return tags if isinstance(tags, list) and all(map(_is_int, tags)) else None


def _vote(predictions: Sequence[Any]) -> Any:
    """Per token the tag with most votes; of several, the one that the best member of them gave."""
    votes = [tags for tags in map(_as_tags, predictions) if tags is not None]
    if not votes:
        return to_json_value(predictions[0])
    votes = [tags for tags in votes if len(tags) == len(votes[0])]
    # A Counter lists equal counts in the order first met: the best member's first.
    return [Counter(token_votes).most_common(1)[0][0] for token_votes in zip(*votes)]
