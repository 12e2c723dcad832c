"""Templates that each break one rule, and the sentence that their author gets for it."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.entities import FailureCode
from rafiki.model import InvalidModelClassError, check_model_class, dataset, load_model_class
from rafiki.model.dev import test_model_class

TEMPLATES = Path(__file__).parents[2] / "templates"
BROKEN = TEMPLATES / "broken"
#: By a template's name: the code of the error that its author gets, and its text.
SENTENCES = {
    name: (code, text.replace("{python}", f"{sys.version_info[0]}.{sys.version_info[1]}"))
    for name, code, text in (line.split("\t") for line in (BROKEN / "sentences.tsv").read_text().splitlines())
}
TASKS = {
    "prediction_is_class": "IMAGE_CLASSIFICATION",
    "prediction_is_no_probability": "IMAGE_CLASSIFICATION",
    "tags_too_few": "POS_TAGGING",
}
QUERIES = ["a", "bbbb"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny dataset per task."""
    folder = tmp_path_factory.mktemp("data")
    paths = {name: str(folder / name) for name in ("IMAGE_CLASSIFICATION", "POS_TAGGING", "my-task")}
    images = [np.full((4, 4), 20 * i, np.uint8) for i in range(4)]
    dataset.write_dataset_of_image_files(paths["IMAGE_CLASSIFICATION"], images, [0, 1, 0, 1])
    dataset.write_dataset_of_corpus(paths["POS_TAGGING"], [[["cats", 0], ["walk", 1]], [["dogs", 0], ["run", 1]]])
    Path(paths["my-task"]).write_text("any format")
    return paths


@pytest.fixture(autouse=True)
def command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["template.py"])


def run(path: Path, data: dict[str, str], task: str = "my-task", **arguments: Any) -> Any:
    arguments = {"dependencies": {}, "budget": {"MODEL_TRIAL_COUNT": 1}, **arguments}
    return test_model_class(
        str(path), "Model", task, train_dataset_path=data[task], val_dataset_path=data[task], **arguments
    )


def test_every_broken_template_has_its_sentence() -> None:
    assert {path.stem for path in BROKEN.glob("*.py")} == set(SENTENCES)


@pytest.mark.parametrize("name", SENTENCES)
def test_a_broken_rule_is_a_sentence_with_the_templates_line(
    name: str, data: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    task = TASKS.get(name, "my-task")
    with pytest.raises(InvalidModelClassError) as caught:
        run(BROKEN / f"{name}.py", data, task, queries=QUERIES if task == "my-task" else None)
    assert (caught.value.code, str(caught.value)) == SENTENCES[name]
    printed = capsys.readouterr()
    assert "=== Checked" not in printed.out
    assert printed.err == ""
    assert printed.out.count(str(caught.value)) <= 1  # in the line of the trial that failed


@pytest.mark.parametrize(
    "name", [name for name, (code, _) in SENTENCES.items() if code == FailureCode.INVALID_MODEL_CLASS]
)
def test_the_platform_says_the_same_of_a_class(name: str) -> None:
    path = BROKEN / f"{name}.py"
    try:
        problems = check_model_class(load_model_class(path.read_bytes(), "Model", str(path)), {})
    except InvalidModelClassError as error:
        problems = [error.message]
    assert problems == [SENTENCES[name][1]]


def test_what_is_not_broken_passes(data: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    predictions, model = run(TEMPLATES / "fine" / "Works.py", data, queries=QUERIES)
    assert predictions == [0.25, 0.25]
    assert model.predict(["c"]) == [0.25]
    printed = capsys.readouterr().out
    assert "loaded in a new process, which predicts the same (2 queries)" in printed
    assert "Advice" not in printed and "Warning" not in printed


def test_imports_that_are_not_declared_are_advice(
    data: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(TEMPLATES / "fine"))
    run(TEMPLATES / "fine" / "Advised.py", data, queries=QUERIES, dependencies={"httpx": ""})
    advice = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Advice: ")]
    right = "of Rafiki, a template can import rafiki.model, rafiki.constants and rafiki.config"
    declared = f"add {{'rich': '{version('rich')}'}} to `dependencies`"
    beside = "from beside the template, of which only the one file is uploaded; put its code there"
    assert advice == [
        f"Advice: Advised.py, line 5: `rafiki.advisor` is not there on the platform; {right}.",
        f"Advice: Advised.py, line 3: `rich` is imported, but not declared; {declared}.",
        f"Advice: Advised.py, line 30: `shared_code` is imported {beside}.",
        "Advice: httpx is declared, but Advised.py imports nothing of it; leave it out unless something needs it.",
    ]
