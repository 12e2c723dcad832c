"""A conditional random field: each tag depends on its word, the words around it and the tag before it."""

import tempfile
from pathlib import Path

import pycrfsuite

from rafiki.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, dataset, logger


class TagCrf(BaseModel):
    """What it learns are weights of what can be seen of a word and of its neighbours."""

    @staticmethod
    def get_knob_config():
        return {
            # The larger, the more weights are zero (c1), and the smaller they are kept (c2).
            "c1": FloatKnob(1e-3, 1, is_exp=True),
            "c2": FloatKnob(1e-3, 1, is_exp=True),
            "max_suffix_len": IntegerKnob(2, 5),
            "max_iterations": FixedKnob(50),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        trainer = pycrfsuite.Trainer(verbose=False)
        for sentence in dataset.load_dataset_of_corpus(dataset_path):
            trainer.append(self._features([word for word, _ in sentence]), [str(tag) for _, tag in sentence])
        trainer.set_params({name: self._knobs[name] for name in ("c1", "c2", "max_iterations")})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.crfsuite"
            trainer.train(str(path))
            self._open(path.read_bytes())
        last = trainer.logparser.last_iteration
        logger.log("Trained", loss=last["loss"], n_weights=last["active_features"])

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
        return {"model": self._model}

    def load_parameters(self, params):
        self._open(params["model"])

    def _open(self, model):
        self._model = model
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open_inmemory(model)

    def _tag(self, words):
        return [int(tag) for tag in self._tagger.tag(self._features(words))] if words else []

    def _features(self, words):
        """Of each word, what can be seen of it and of its neighbours, as a list of texts."""
        seen = [self._look_at(word) for word in words]
        rows = []
        for i, own in enumerate(seen):
            before = [f"before {one}" for one in seen[i - 1]] if i > 0 else ["first"]
            after = [f"after {one}" for one in seen[i + 1]] if i + 1 < len(seen) else ["last"]
            rows.append(own + before + after)
        return rows

    def _look_at(self, word):
        """A word by itself, its shape, and its endings."""
        lower = word.lower()
        kinds = {
            "upper": word.isupper(),
            "title": word.istitle(),
            "digit": any(map(str.isdigit, word)),
            "hyphen": "-" in word,
            "sign": not any(map(str.isalnum, word)),
        }
        shape = " ".join(kind for kind, is_so in kinds.items() if is_so)
        longest = min(self._knobs["max_suffix_len"], len(word))
        return [f"word {lower}", f"shape {shape}", *(f"suffix {lower[-n:]}" for n in range(1, longest + 1))]
