"""The local train-inference flow, as a template's author meets it."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rafiki.advisor import Proposal
from rafiki.errors import InvalidDatasetFormatException, InvalidModelClassError, InvalidQueryError
from rafiki.model import BaseModel, dataset
from rafiki.model.dev import make_predictions, test_model_class, tune_model
from rafiki.model.loading import load_model_class

TEMPLATES = Path(__file__).parent / "templates.py"
FOUR_TRIALS = {"MODEL_TRIAL_COUNT": 4, "TIME_HOURS": 1}


@pytest.fixture(autouse=True)
def command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["templates.py"])


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "data.csv"
    path.write_text("a\n1\n")
    return str(path)


def template(name: str) -> Any:
    return load_model_class(TEMPLATES.read_bytes(), name, file_path=str(TEMPLATES))


# --- tune_model -------------------------------------------------------------------------------------------------------


def test_the_best_proposal_its_test_score_and_its_stored_params(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    best, test_score, params = tune_model(template("Good"), data, data, data, {"MODEL_TRIAL_COUNT": 8, "TIME_HOURS": 1})
    assert best.knobs["stop"] in (True, False)
    assert test_score == pytest.approx(1.0 - abs(best.knobs["x"] - 0.7), abs=1e-6)
    np.testing.assert_array_equal(params["weights"], np.arange(3.0))
    printed = capsys.readouterr().out
    assert "BayesOptAdvisor" in printed
    assert [f"Trial {no}:" in printed for no in range(1, 10)] == [True] * 8 + [False]


def test_without_a_test_dataset_there_is_no_test_score(data: str) -> None:
    _, test_score, _ = tune_model(template("Good"), data, data, budget=FOUR_TRIALS)
    assert test_score is None


def test_the_command_line_bounds_the_search_and_fixes_knobs(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["x.py", "--MODEL_TRIAL_COUNT=2", "--x=0.7", "--deep=False", "--solver=sgd", "--train_path=other"]
    )
    best, _, _ = tune_model(template("Good"), data, data, budget=FOUR_TRIALS)
    assert best.trial_no <= 2
    assert (best.knobs["x"], best.knobs["deep"], best.knobs["solver"]) == (0.7, False, "sgd")


def test_a_knob_out_of_range_is_refused_before_anything_runs(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x.py", "--x=7"])
    with pytest.raises(ValueError, match=r"knob 'x' takes a number from 0\.0 to 1\.0"):
        tune_model(template("Good"), data, data)


def test_an_architecture_can_be_fixed(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x.py", "--arch=[2, 3]"])
    best, _, _ = tune_model(template("Architecture"), data, data, budget=FOUR_TRIALS)
    assert best.knobs["arch"] == [2, 3]


def test_the_first_trial_runs_though_time_is_over(data: str) -> None:
    best, _, _ = tune_model(template("Good"), data, data, budget={"TIME_HOURS": 0})
    assert best.trial_no == 1


def test_trials_start_from_the_best_shared_parameters(data: str) -> None:
    cls = template("Sharing")
    cls.received.clear()
    best, _, params = tune_model(cls, data, data, budget={"MODEL_TRIAL_COUNT": 12, "TIME_HOURS": 1})
    assert cls.received[0] is None
    counts = [0 if received is None else received["count"] for received in cls.received]
    highest = 0
    for count in counts:
        assert count in (0, highest)
        highest = max(highest, count + 1)
    assert max(counts) > 0
    assert params == {"count": highest}
    assert best.to_cache_params and best.knobs["share"] is True


def test_failing_trials_do_not_end_the_search(data: str) -> None:
    best, _, _ = tune_model(template("SometimesFails"), data, data, budget={"MODEL_TRIAL_COUNT": 8, "TIME_HOURS": 1})
    assert best.knobs["x"] >= 0.5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "AlwaysFails",
            r"never converges \(templates.py, line \d+, in of_no_use\)\. All 3 trials failed so\.$",
        ),
        (
            "NoScore",
            r"templates.py, line \d+: `evaluate` returned str 'very good'; return the score as one finite number",
        ),
        ("ListParameters", "weights.*list"),
    ],
)
def test_if_all_trials_fail_the_error_says_where(data: str, name: str, message: str) -> None:
    with pytest.raises(InvalidModelClassError, match=message):
        tune_model(template(name), data, data, budget=FOUR_TRIALS)


def test_gpus_are_hidden_unless_the_budget_has_some(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    seen = []

    class Looks(template("Good")):  # type: ignore[misc]
        def train(self, dataset_path: str, **kwargs: Any) -> None:
            seen.append((os.environ["CUDA_VISIBLE_DEVICES"], os.environ["CUDA_AVAILABLE_DEVICES"]))

    tune_model(Looks, data, data, budget={"MODEL_TRIAL_COUNT": 1})
    tune_model(Looks, data, data, budget={"MODEL_TRIAL_COUNT": 1, "GPU_COUNT": 2})
    assert seen == [("-1", "-1"), ("0,1", "0,1")]
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


# --- make_predictions -------------------------------------------------------------------------------------------------


def proposal(name: str) -> tuple[type[BaseModel], Proposal, dict[str, Any]]:
    knobs = {"x": 0.5, "n": 3, "solver": "adam", "deep": True, "kind": "small", "stop": False}
    return template(name), Proposal(1, knobs), {"weights": np.arange(2.0)}


def test_predictions_are_plain_json_and_the_instance_is_usable() -> None:
    predictions, model = make_predictions(["q", [1]], "my-task", *proposal("Good"))
    assert predictions == [
        {"n": 3, "query": "q", "weights": [0.0, 1.0]},
        {"n": 3, "query": [1], "weights": [0.0, 1.0]},
    ]
    assert model is not None and model.predict(["again"])[0]["query"] == "again"


def test_no_queries_no_predictions() -> None:
    assert make_predictions(None, "my-task", *proposal("Good")) == (None, None)
    predictions, model = make_predictions([], "my-task", *proposal("Good"))
    assert predictions == [] and model is not None


def test_queries_are_converted_as_in_service() -> None:
    predictions, _ = make_predictions(
        [[[0, 255], [3, 4]], np.zeros((2, 2, 4))], "IMAGE_CLASSIFICATION", *proposal("Images")
    )
    assert predictions == [[0.25, 0.75], [0.25, 0.75]]
    with pytest.raises(InvalidQueryError):
        make_predictions(["no image"], "IMAGE_CLASSIFICATION", *proposal("Images"))


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("NotJson", "my-task", "answers query 0 with what JSON cannot carry: .*set.*; answer with lists"),
        ("TooFew", "my-task", "returned 1 predictions for 2 queries"),
        (
            "Good",
            "POS_TAGGING",
            "answers query 0 with what the task POS_TAGGING cannot serve: .*list of one tag per token",
        ),
        ("LoadFails", "my-task", r"KeyError: 'bias' \(templates.py, line \d+, in load_parameters\)"),
    ],
)
def test_predictions_that_cannot_be_served_are_refused(name: str, task: str, message: str) -> None:
    with pytest.raises(InvalidModelClassError, match=message):
        make_predictions([["a"], ["b"]], task, *proposal(name))


# --- test_model_class -------------------------------------------------------------------------------------------------


def run(name: str, data: str, **arguments: Any) -> tuple[Any, Any]:
    arguments = {"task": "my-task", "dependencies": None, "budget": FOUR_TRIALS, **arguments}
    return test_model_class(str(TEMPLATES), name, train_dataset_path=data, val_dataset_path=data, **arguments)


def test_predictions_are_compared_as_they_are_served(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    predictions, _ = run("NumbersAsKeys", data, queries=["q"])
    assert predictions == [{"1": 0.5}]
    assert "which predicts the same (1 queries)" in capsys.readouterr().out


def test_a_class_of_the_templates_own_is_called_by_its_name(data: str) -> None:
    with pytest.raises(InvalidModelClassError, match="the value of 'model' is of type OwnClass; "):
        run("OwnClass", data)


def test_a_tag_beyond_those_of_the_data_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "corpus.zip")
    dataset.write_dataset_of_corpus(path, [[["cats", 0], ["walk", 1]], [["dogs", 0], ["run", 1]]])
    predictions, _ = run("UnknownTags", path, task="POS_TAGGING", queries=[["cats", "run"]])
    assert predictions == [[17, 17]]
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1
    assert re.search(
        r"templates\.py, line \d+: `predict` answers with the tag 17, but those of the datasets are from 0 to 1\.$",
        warnings[0],
    )


def test_the_whole_flow(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    predictions, model = run("Good", data, test_dataset_path=data, queries=["q"])
    assert predictions[0]["query"] == "q"
    assert model.predict(["again"])
    printed = capsys.readouterr().out
    assert re.search(r"=== Checked in \d+\.\d s ===\n\[ok\] templates.py can be imported", printed)
    assert "it trains, and evaluates to a number: 4 trials, best score 0." in printed
    assert "loaded in a new process, which predicts the same (1 queries)" in printed
    assert "Warning" not in printed and "Advice" not in printed


def test_the_whole_flow_without_queries(data: str) -> None:
    assert run("Good", data) == (None, None)
    with pytest.raises(InvalidModelClassError, match="KeyError: 'bias'"):
        run("LoadFails", data)


def test_dependencies_that_differ_are_a_warning(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("Good", data, dependencies={"NumPy": "0.1", "no-such-thing": "2.0", "pillow": "", "numpy": np.__version__})
    printed = capsys.readouterr().out
    assert f"Warning: NumPy 0.1 is declared, but {np.__version__} is installed here;" in printed
    assert "Warning: no-such-thing 2.0 is declared, but not installed here;" in printed
    assert printed.count("Warning") == 2


def test_a_class_that_breaks_rules_is_refused(data: str) -> None:
    with pytest.raises(InvalidModelClassError, match="NoPredict lacks the method `predict"):
        run("NoPredict", data)
    with pytest.raises(InvalidModelClassError, match="no class Missing"):
        run("Missing", data)


def test_what_a_template_raised_is_the_cause_and_begins_in_the_template(data: str) -> None:
    with pytest.raises(InvalidModelClassError) as caught:
        run("AlwaysFails", data)
    cause = caught.value.__cause__
    assert isinstance(cause, ArithmeticError) and cause.__traceback__ is not None
    assert cause.__traceback__.tb_frame.f_code.co_filename == str(TEMPLATES)


def test_a_failure_is_printed_once_though_it_is_everys(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidModelClassError):
        run("AlwaysFails", data)
    printed = capfd.readouterr()
    assert printed.out.count("never converges") == 1
    assert printed.out.count("failed as trial 1 did") == 2
    assert printed.err == ""


def test_failed_trials_can_be_repeated_by_their_arguments(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("SometimesFails", data, budget={"MODEL_TRIAL_COUNT": 8, "TIME_HOURS": 1})
    printed = capsys.readouterr().out
    arguments, reason = re.search(r"Trial \d+: (--x=\S+) .*\n  failed: (.*)\n", printed).groups()  # type: ignore[union-attr]
    assert reason.startswith(f"ValueError: x is {arguments[4:]} (templates.py, line ")
    assert "of 8 trials failed; their arguments repeat them." in printed


def test_files_that_are_not_there_are_named(data: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file nowhere\.zip; `test_dataset_path` must be"):
        run("Good", data, test_dataset_path="nowhere.zip")


def test_train_arguments_that_training_does_not_take_are_refused(data: str) -> None:
    with pytest.raises(InvalidModelClassError, match=r"`train\(path, shared_params=\.\.\., epochs=\.\.\.\)`: got an"):
        run("Sharing", data, train_args={"epochs": 3})


def test_datasets_are_checked_by_the_task(data: str) -> None:
    with pytest.raises(InvalidDatasetFormatException, match=re.escape(data)):
        run("Images", data, task="IMAGE_CLASSIFICATION")
