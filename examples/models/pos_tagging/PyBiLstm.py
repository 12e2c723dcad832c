"""A bidirectional LSTM that tags parts of speech, with PyTorch.

python examples/models/pos_tagging/PyBiLstm.py --train_path data/ud_english_train.zip \
    --val_path data/ud_english_val.zip
"""

import argparse
import json

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from rafiki.constants import ModelDependency
from rafiki.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, dataset, logger
from rafiki.model.dev import test_model_class

PADDING, UNKNOWN = 0, 1  # stand for no word, and for what was not in training
P_HIDDEN = 0.1  # the share of what is treated as unknown in training


class PyBiLstm(BaseModel):
    """Reads a sentence from both sides. Of a word that it does not know, it sees how it begins and ends."""

    @staticmethod
    def get_knob_config():
        return {
            "n_part_dims": IntegerKnob(16, 64, is_exp=True),
            "n_hidden_units": IntegerKnob(32, 128, is_exp=True),
            "dropout": FloatKnob(0.2, 0.6),
            "learning_rate": FloatKnob(3e-3, 2e-2, is_exp=True),
            "batch_size": IntegerKnob(16, 64, is_exp=True),
            "n_epochs": FixedKnob(5),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        sentences = list(dataset.load_dataset_of_corpus(dataset_path))
        self._n_tags = 1 + max(tag for sentence in sentences for _, tag in sentence)
        parts = zip(*(parts_of(word) for sentence in sentences for word, _ in sentence))
        self._vocabularies = [numbered(of_words) for of_words in parts]
        torch.manual_seed(0)
        self._network = self._build_network()

        logger.define_loss_plot()
        optimizer = torch.optim.Adam(self._network.parameters(), lr=self._knobs["learning_rate"])
        for epoch in range(self._knobs["n_epochs"]):
            self._network.train()
            losses = []
            for chosen in torch.randperm(len(sentences)).split(self._knobs["batch_size"]):
                batch = [sentences[i] for i in chosen]
                inputs, lengths = self._padded([[word for word, _ in sentence] for sentence in batch])
                tags = pad_sequence(
                    [torch.tensor([tag for _, tag in sentence]) for sentence in batch],
                    batch_first=True,
                    padding_value=-1,
                )
                scores = self._network(inputs, lengths)
                loss = nn.functional.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=-1)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            logger.log_loss(np.mean(losses), epoch)

    def evaluate(self, dataset_path):
        sentences = list(dataset.load_dataset_of_corpus(dataset_path))
        predicted = self.predict([[word for word, _ in sentence] for sentence in sentences])
        is_right = [
            tag == right_tag
            for tags, sentence in zip(predicted, sentences)
            for tag, (_, right_tag) in zip(tags, sentence)
        ]
        return np.mean(is_right)

    @torch.no_grad()
    def predict(self, queries):
        self._network.eval()
        predictions = [[] for _ in queries]
        # Sentences of a similar length together need little padding. Those without words need no prediction.
        order = sorted((i for i, words in enumerate(queries) if words), key=lambda i: len(queries[i]))
        for start in range(0, len(order), 256):
            chosen = order[start : start + 256]
            inputs, lengths = self._padded([queries[i] for i in chosen])
            tags = self._network(inputs, lengths).argmax(dim=2)
            for i, of_sentence, length in zip(chosen, tags.tolist(), lengths.tolist()):
                predictions[i] = of_sentence[:length]
        return predictions

    def dump_parameters(self):
        return {
            **{f"network.{name}": tensor.numpy() for name, tensor in self._network.state_dict().items()},
            "vocabularies": json.dumps(self._vocabularies),
            "n_tags": self._n_tags,
        }

    def load_parameters(self, params):
        self._vocabularies = json.loads(params["vocabularies"])
        self._n_tags = params["n_tags"]
        self._network = self._build_network()
        names = self._network.state_dict()
        self._network.load_state_dict({name: torch.from_numpy(params[f"network.{name}"]) for name in names})

    def _build_network(self):
        knobs = self._knobs
        n_numbers = [UNKNOWN + 1 + len(vocabulary) for vocabulary in self._vocabularies]
        return Network(n_numbers, self._n_tags, knobs["n_part_dims"], knobs["n_hidden_units"], knobs["dropout"])

    def _padded(self, sentences):
        """The numbers of all words' parts (sentences x words of the longest x parts), and the sentences' lengths."""
        numbers = [
            torch.tensor(
                [
                    [vocabulary.get(part, UNKNOWN) for vocabulary, part in zip(self._vocabularies, parts_of(word))]
                    for word in words
                ]
            )
            for words in sentences
        ]
        lengths = torch.tensor([len(words) for words in sentences])
        return pad_sequence(numbers, batch_first=True, padding_value=PADDING), lengths


class Network(nn.Module):
    def __init__(self, n_numbers, n_tags, n_part_dims, n_hidden_units, dropout):
        super().__init__()
        self._embeddings = nn.ModuleList(nn.Embedding(n, n_part_dims, padding_idx=PADDING) for n in n_numbers)
        self._dropout = nn.Dropout(dropout)
        self._lstm = nn.LSTM(len(n_numbers) * n_part_dims, n_hidden_units, batch_first=True, bidirectional=True)
        self._scores = nn.Linear(2 * n_hidden_units, n_tags)

    def forward(self, numbers, lengths):
        """The score of each tag, for each word of each sentence."""
        if self.training:
            # Some are hidden, or it would never learn what to do with what it does not know.
            numbers = numbers.masked_fill(torch.rand(numbers.shape) < P_HIDDEN, UNKNOWN)
        parts = [embedding(numbers[:, :, i]) for i, embedding in enumerate(self._embeddings)]
        embedded = self._dropout(torch.cat(parts, dim=2))
        # Packed, so that reading a short sentence backwards begins with its last word and not with padding.
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self._lstm(packed)[0], batch_first=True)
        return self._scores(self._dropout(states))


def parts_of(word):
    """What the network sees of a word: the word, its last letters, its first."""
    return word.lower(), word[-3:], word[-2:], word[:1]


def numbered(texts):
    """A number for each different text, after those of padding and the unknown."""
    return {text: number for number, text in enumerate(sorted(set(texts)), start=UNKNOWN + 1)}


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
        model_class="PyBiLstm",
        task="POS_TAGGING",
        dependencies={ModelDependency.TORCH: "2.13.0"},
        train_dataset_path=args.train_path,
        val_dataset_path=args.val_path,
        test_dataset_path=args.test_path,
        queries=queries,
    )
