"""A hidden Markov model of tags, in NumPy alone: each tag depends on the one before it, each word on its tag."""

import json
from collections import Counter

import numpy as np

from rafiki.model import BaseModel, FloatKnob, IntegerKnob, dataset, logger


class TagHmm(BaseModel):
    """Trains in a moment. Words that it does not know are judged by how they end."""

    @staticmethod
    def get_knob_config():
        return {
            # Added to each count of a tag after another, so that none is impossible.
            "smoothing": FloatKnob(1e-3, 1e1, is_exp=True),
            # How much the endings of a word count beside the tags that it was seen with.
            "doubt": FloatKnob(1e-2, 1e1, is_exp=True),
            # How many of a word's last letters are looked at.
            "max_suffix_len": IntegerKnob(1, 5),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        sentences = dataset.load_dataset_of_corpus(dataset_path)
        n_tags = sentences.tag_num_classes[0]
        # Row and column `n_tags` stand for the start and the end of a sentence.
        self._transitions = np.zeros((n_tags + 1, n_tags + 1))
        counts = Counter()
        for sentence in sentences:
            tags = [n_tags, *(tag for _, tag in sentence), n_tags]
            np.add.at(self._transitions, (tags[:-1], tags[1:]), 1)
            counts.update(map(tuple, sentence))
        self._words = {}
        for (word, tag), count in counts.items():
            self._words.setdefault(word, []).append([tag, count])
        self._prepare()
        logger.log(f"Counted {len(sentences)} sentences", n_words=len(self._words), n_tags=n_tags)

    def evaluate(self, dataset_path):
        n_right = n_words = 0
        for sentence in dataset.load_dataset_of_corpus(dataset_path):
            tags = self._tag([word for word, _ in sentence])
            n_right += sum(tag == right_tag for tag, (_, right_tag) in zip(tags, sentence))
            n_words += len(sentence)
        return n_right / n_words

    def predict(self, queries):
        return [self._tag(words) for words in queries]

    def dump_parameters(self):
        # Parameters are numbers, texts, bytes and arrays: counts of words go as JSON.
        return {"transitions": self._transitions, "words": json.dumps(self._words)}

    def load_parameters(self, params):
        self._transitions = params["transitions"]
        self._words = json.loads(params["words"])
        self._prepare()

    def _prepare(self):
        """Turns counts into what tagging needs."""
        smoothed = self._transitions + self._knobs["smoothing"]
        self._log_transitions = np.log(smoothed / smoothed.sum(axis=1, keepdims=True))
        self._tag_counts = self._transitions[:-1].sum(axis=1) + 1
        self._suffixes = {}
        for word, counts in self._words.items():
            for suffix in self._suffixes_of(word):
                of_suffix = self._suffixes.setdefault(suffix, np.zeros(len(self._tag_counts)))
                for tag, _ in counts:  # each word once: those not seen yet are like the rare ones
                    of_suffix[tag] += 1
        self._log_likelihoods = {}

    def _suffixes_of(self, word):
        """A word's endings, from the empty one to the longest, and whether it begins like a name."""
        n_max = min(self._knobs["max_suffix_len"], len(word))
        return [(word[len(word) - n :].lower(), word[:1].isupper()) for n in range(n_max + 1)]

    def _log_likelihood(self, word):
        """Of each tag, up to a constant: the probability of the word given the tag."""
        known = self._log_likelihoods.get(word)
        if known is None:
            known = np.log(self._tags_of(word) / self._tag_counts)
            if word in self._words:  # the others are without number, and not worth keeping
                self._log_likelihoods[word] = known
        return known

    def _tags_of(self, word):
        """How probable each tag is for the word out of context."""
        tags = self._tag_counts / self._tag_counts.sum()
        # Longer endings tell more, and correct what the shorter ones say; the word itself tells most.
        for suffix in self._suffixes_of(word):
            counts = self._suffixes.get(suffix)
            if counts is not None:
                tags = (counts + tags) / (counts.sum() + 1)
        tags = self._knobs["doubt"] * tags
        for tag, count in self._words.get(word, ()):
            tags[tag] += count
        return tags / tags.sum()

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
