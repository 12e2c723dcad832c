"""The dataset script for Universal Dependencies' English sentences."""

import os
from pathlib import Path

import pytest

from examples.datasets.corpus.load_ud_english import load_ud_english, parse_conllu
from examples.datasets.sources import SourceError
from rafiki.model import dataset

ROOT = Path(__file__).parents[3]
TREEBANK = Path(os.environ.get("RAFIKI_TEST_DATA", ROOT.parent / "shared" / "data")) / "ud_english_ewt"
REST = "\t_" * 6

CONLLU = f"""# text = I can't
1\tI\tI\tPRON{REST}
2-3\tcan't\t_\t_{REST}
2\tca\tcan\tAUX{REST}
3\tn't\tnot\tPART{REST}

# a comment
1\t"\t"\tPUNCT{REST}
1.1\tgone\tgo\tVERB{REST}
"""


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_conllu_format() -> None:
    assert parse_conllu(CONLLU) == [[("I", 10), ("ca", 3), ("n't", 9)], [('"', 12)]]
    for line, message in (("1\tI", "2 values, expected 10"), (f"1\tI\tI\tPRP{REST}", "the tag 'PRP'")):
        with pytest.raises(SourceError, match=f"dev, line 2: {message}"):
            parse_conllu(f"# a comment\n{line}\n", "dev")


def test_a_folder_becomes_datasets(tmp_path: Path) -> None:
    for part in ("dev", "test"):
        (tmp_path / f"en_ewt-ud-{part}.conllu").write_text(CONLLU)
    load_ud_english(from_dir=str(tmp_path), limit=1)
    for part in ("train", "val"):
        sentences = dataset.load_dataset_of_corpus(f"data/ud_english_{part}.zip")
        assert list(sentences) == [[["I", 10], ["ca", 3], ["n't", 9]]]
    assert Path("data/ud_english_meta.tsv").read_text().splitlines()[:2] == ["tag\tname", "0\tADJ"]


@pytest.mark.skipif(not TREEBANK.is_dir(), reason="needs ../shared/data (or RAFIKI_TEST_DATA)")
def test_the_real_treebank() -> None:
    load_ud_english(from_dir=str(TREEBANK))
    train, val = (dataset.load_dataset_of_corpus(f"data/ud_english_{part}.zip") for part in ("train", "val"))
    assert (len(train), len(val), train.tag_num_classes, val.tag_num_classes) == (2001, 2077, [17], [17])
