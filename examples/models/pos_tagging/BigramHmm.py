"""A hidden Markov model of part-of-speech tags, in NumPy alone.

python examples/models/pos_tagging/BigramHmm.py --train_path data/ptb_train.zip --val_path data/ptb_val.zip
"""

import argparse
import json
from collections import Counter

import numpy as np

from rafiki.model import BaseModel, FloatKnob, IntegerKnob, dataset, logger
from rafiki.model.dev import test_model_class


class BigramHmm(BaseModel):
    """Each tag depends on the tag before it, each word on its tag; unknown words are judged by how they end."""

    @staticmethod
    def get_knob_config():
        return {
            # Added to each count of a tag after another, so that none is impossible.
            "smoothing": FloatKnob(1e-3, 1e1, is_exp=True),
            # How many of an unknown word's last letters are looked at.
            "max_suffix_len": IntegerKnob(0, 5),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._smoothing = knobs["smoothing"]
        self._max_suffix_len = knobs["max_suffix_len"]

    def train(self, dataset_path, shared_params=None, **train_args):
        sentences = dataset.load_dataset_of_corpus(dataset_path)
        n_tags = sentences.tag_num_classes[0]
        # Row and column `n_tags` stand for the start and the end of a sentence.
        self._transition_counts = np.zeros((n_tags + 1, n_tags + 1))
        word_tags = Counter()
        for sentence in sentences:
            tags = [n_tags, *(tag for _, tag in sentence), n_tags]
            np.add.at(self._transition_counts, (tags[:-1], tags[1:]), 1)
            word_tags.update((word, tag) for word, tag in sentence)

        self._word_counts = {}
        for (word, tag), count in word_tags.items():
            self._word_counts.setdefault(word, {})[tag] = count
        self._prepare()
        logger.log(f"Counted {len(sentences)} sentences", n_words=len(self._word_counts), n_tags=n_tags)

    def evaluate(self, dataset_path):
        sentences = dataset.load_dataset_of_corpus(dataset_path)
        n_right = n_tokens = 0
        for sentence in sentences:
            tags = self._tag([word for word, _ in sentence])
            n_right += sum(tag == right_tag for tag, (_, right_tag) in zip(tags, sentence))
            n_tokens += len(sentence)
        return n_right / n_tokens

    def predict(self, queries):
        return [self._tag(words) for words in queries]

    def dump_parameters(self):
        # Counts are all there is to know. Parameters are numbers, strings, bytes and arrays: words go as JSON.
        return {"transition_counts": self._transition_counts, "word_counts": json.dumps(self._word_counts)}

    def load_parameters(self, params):
        self._transition_counts = params["transition_counts"]
        word_counts = json.loads(params["word_counts"])
        self._word_counts = {
            word: {int(tag): count for tag, count in counts.items()} for word, counts in word_counts.items()
        }
        self._prepare()

    def _prepare(self):
        """Turns counts into log probabilities."""
        self._n_tags = len(self._transition_counts) - 1
        smoothed = self._transition_counts + self._smoothing
        self._log_transitions = np.log(smoothed / smoothed.sum(axis=1, keepdims=True))
        # At the end of a sentence every tag has been seen before: how often is the same for all words.
        self._tag_counts = self._transition_counts[:-1].sum(axis=1) + 1.0
        self._suffix_counts = {}
        for word, counts in self._word_counts.items():
            for suffix in self._suffixes(word):
                of_suffix = self._suffix_counts.setdefault(suffix, np.zeros(self._n_tags))
                for tag in counts:
                    of_suffix[tag] += 1
        self._log_likelihoods = {}

    def _suffixes(self, word):
        """A word's endings, from the empty one to the longest."""
        return [word[len(word) - n :] for n in range(min(self._max_suffix_len, len(word)) + 1)]

    def _log_likelihood(self, word):
        """Of each tag, up to a constant: the probability of the word given the tag."""
        known = self._log_likelihoods.get(word)
        if known is None:
            known = np.log(self._tags_of(word) / self._tag_counts)
            if word in self._word_counts:  # unknown words are without number, and not worth keeping
                self._log_likelihoods[word] = known
        return known

    def _tags_of(self, word):
        """How probable each tag is for the word out of context."""
        tags = np.full(self._n_tags, 1e-6)
        if word in self._word_counts:
            for tag, count in self._word_counts[word].items():
                tags[tag] += count
            return tags
        # Longer endings tell more, and correct what the shorter ones say.
        for suffix in self._suffixes(word):
            counts = self._suffix_counts.get(suffix)
            if counts is None:
                break
            tags = (counts + tags / tags.sum()) / (counts.sum() + 1)
        return tags

    def _tag(self, words):
        """Viterbi's algorithm: the most probable sequence of tags as a whole."""
        if not words:
            return []
        between = self._log_transitions[:-1, :-1]
        scores = self._log_transitions[-1, :-1] + self._log_likelihood(words[0])
        best_before = []
        for word in words[1:]:
            paths = scores[:, np.newaxis] + between  # from each tag to each tag
            best_before.append(paths.argmax(axis=0))
            scores = paths.max(axis=0) + self._log_likelihood(word)
        tag = int((scores + self._log_transitions[:-1, -1]).argmax())
        tags = [tag]
        for before in reversed(best_before):
            tag = int(before[tag])
            tags.append(tag)
        return tags[::-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train_path", default="data/ptb_train.zip")
    parser.add_argument("--val_path", default="data/ptb_val.zip")
    parser.add_argument("--test_path", default=None)
    parser.add_argument(
        "--query_path", default=None, help="a text file with a sentence per line, tokens between spaces"
    )
    args, _ = parser.parse_known_args()  # `test_model_class` reads the others

    queries = [
        ["Ms.", "Haag", "plays", "Elianti", "18", "."],
        ["The", "luxury", "auto", "maker", "sold", "1,214", "cars"],
    ]
    if args.query_path:
        with open(args.query_path, encoding="utf-8") as file:
            queries = [line.split() for line in file]
    test_model_class(
        model_file_path=__file__,
        model_class="BigramHmm",
        task="POS_TAGGING",
        dependencies={},
        train_dataset_path=args.train_path,
        val_dataset_path=args.val_path,
        test_dataset_path=args.test_path,
        queries=queries,
    )
