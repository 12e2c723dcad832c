"""One trial of a template, and every way in which it can go wrong."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from rafiki.entities import Failure, FailureCode
from rafiki.model import BaseModel, FloatKnob
from rafiki.worker.failures import TrialFailed
from rafiki.worker.trial import check_predictions, run_trial


class Template(BaseModel):
    """Notes what is called."""

    calls: list[Any]

    @staticmethod
    def get_knob_config() -> Any:
        return {"x": FloatKnob(0, 1)}

    def __init__(self, **knobs: Any) -> None:  # does not call super().__init__, as many templates
        self.knobs = knobs
        type(self).calls = [("init", knobs)]

    def train(self, dataset_path: str, shared_params: Any = None, **train_args: Any) -> None:
        self.calls.append(("train", dataset_path, shared_params, train_args))

    def evaluate(self, dataset_path: str) -> Any:
        self.calls.append(("evaluate", dataset_path))
        return self.knobs.get("score", 0.5)

    def predict(self, queries: list[Any]) -> list[Any]:
        return queries

    def dump_parameters(self) -> Any:
        self.calls.append(("dump",))
        return {"a": 1}

    def load_parameters(self, params: Any) -> None: ...

    def destroy(self) -> None:
        self.calls.append(("destroy",))


def failure_of(template: type[BaseModel], **arguments: Any) -> Failure:
    with pytest.raises(TrialFailed) as caught:
        run_trial(template, {"x": 0.5}, "/train", "/val", **arguments)
    return caught.value.failure


def names(template: type[Template]) -> list[str]:
    return [call[0] for call in template.calls]


def test_a_trial_trains_evaluates_dumps_and_destroys() -> None:
    outcome = run_trial(Template, {"x": 0.5}, "/train", "/val", {"shared": 1}, {"epochs": 3})
    assert (outcome.score, outcome.params) == (0.5, {"a": 1})
    assert Template.calls == [
        ("init", {"x": 0.5}),
        ("train", "/train", {"shared": 1}, {"epochs": 3}),
        ("evaluate", "/val"),
        ("dump",),
        ("destroy",),
    ]


def test_evaluation_and_parameters_are_left_out_when_they_are_not_wanted() -> None:
    outcome = run_trial(Template, {}, "/train", "/val", to_eval=False, want_params=False)
    assert (outcome.score, outcome.params) == (None, None)
    assert names(Template) == ["init", "train", "destroy"]


@pytest.mark.parametrize("signature", ["positional", "keywords"])
def test_old_signatures_of_train_work(signature: str) -> None:
    class Positional(Template):
        def train(self, dataset_path: str, shared_params: Any = None) -> None:  # type: ignore[override]
            self.calls.append((dataset_path, shared_params))

    class Keywords(Template):
        def train(self, path: str, **kwargs: Any) -> None:  # type: ignore[override]
            self.calls.append((path, kwargs["shared_params"]))

    template = Positional if signature == "positional" else Keywords
    run_trial(template, {}, "/train", "/val", {"p": 1})
    assert template.calls[1] == ("/train", {"p": 1})


@pytest.mark.parametrize(
    "score", [1, 0.5, np.float32(0.5), np.int64(3), np.array(0.25), Fraction(1, 2), np.float16(0.5)]
)
def test_any_number_is_a_score(score: Any) -> None:
    outcome = run_trial(Template, {"score": score}, "/train", "/val")
    assert type(outcome.score) is float
    assert outcome.score == float(score)


@pytest.mark.parametrize(
    ("score", "named"),
    [
        (float("nan"), "nan"),
        (np.float32("nan"), "nan"),
        (float("inf"), "inf"),
        (10**400, "inf"),
        (True, "bool True"),
        (np.True_, "bool"),
        ("0.5", "str '0.5'"),
        (None, "NoneType None"),
        ([0.5], "list [0.5]"),
        (np.array([0.5]), "ndarray"),
        (1j, "complex"),
    ],
)
def test_a_score_that_is_no_number_is_named(score: Any, named: str) -> None:
    with pytest.raises(TrialFailed) as caught:
        run_trial(Template, {"score": score}, "/train", "/val")
    assert caught.value.failure.code == FailureCode.BAD_SCORE
    assert named in caught.value.failure.message
    assert names(Template)[-1] == "destroy"


def test_parameters_of_a_wrong_type_are_named() -> None:
    class Lists(Template):
        def dump_parameters(self) -> Any:
            return {"weights": [1, 2]}

    failure = failure_of(Lists)
    assert failure.code == FailureCode.BAD_PARAMETERS
    assert "weights" in failure.message
    assert "list" in failure.message


def test_an_exception_is_named_with_the_templates_innermost_line() -> None:
    class Raises(Template):
        def train(self, *args: Any, **kwargs: Any) -> None:
            np.zeros(3).reshape(2, 2)

    failure = failure_of(Raises)
    assert failure.code == FailureCode.EXCEPTION
    line = Raises.train.__code__.co_firstlineno + 1
    assert failure.message.startswith("ValueError: cannot reshape array")
    assert failure.message.endswith(f"(test_trial.py, line {line}, in train)")
    assert names(Raises)[-1] == "destroy"


def test_an_exception_of_the_constructor_needs_no_destroy() -> None:
    class Raises(Template):
        def __init__(self, **knobs: Any) -> None:
            raise KeyError("missing")

    assert "KeyError" in failure_of(Raises).message


def test_a_missing_module_is_a_missing_dependency() -> None:
    class Imports(Template):
        def train(self, *args: Any, **kwargs: Any) -> None:
            import a_package_that_is_not_there.sub  # noqa: F401

    failure = failure_of(Imports)
    assert failure.code == FailureCode.MISSING_DEPENDENCY
    assert "'a_package_that_is_not_there'" in failure.hint
    assert "dependencies" in failure.hint


def test_an_attempt_to_exit_is_a_failure() -> None:
    class Exits(Template):
        def train(self, *args: Any, **kwargs: Any) -> None:
            raise SystemExit(3)

    failure = failure_of(Exits)
    assert failure.code == FailureCode.EXCEPTION
    assert failure.message.startswith("SystemExit: 3")
    assert "must not end its process" in failure.hint


def test_ctrl_c_passes_and_the_model_is_destroyed() -> None:
    class Interrupted(Template):
        def train(self, *args: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(Interrupted, {}, "/train", "/val")
    assert names(Interrupted)[-1] == "destroy"


def test_a_failing_destroy_is_logged_and_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(Template):
        def destroy(self) -> None:
            raise RuntimeError("cannot let go")

    assert run_trial(Fails, {}, "/train", "/val").score == 0.5
    assert "cannot let go" in caplog.text


def test_an_exception_that_cannot_be_printed_is_still_a_failure() -> None:
    class Unprintable(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError

    class Raises(Template):
        def train(self, *args: Any, **kwargs: Any) -> None:
            raise Unprintable

    assert failure_of(Raises).message.startswith("Unprintable: (its message cannot be had")


def test_a_long_message_is_cut() -> None:
    class Raises(Template):
        def train(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("x" * 10_000_000)

    assert len(failure_of(Raises).message) < 3000


@pytest.mark.parametrize("predictions", [[np.int64(1), (np.float32(0.5), "a")], (1, [0.5, "a"])])
def test_predictions_become_plain_values(predictions: Any) -> None:
    assert check_predictions(Template, predictions, 2) == [1, [0.5, "a"]]


@pytest.mark.parametrize(
    ("predictions", "named"),
    [(None, "NoneType"), ({"a": 1}, "dict"), ("ab", "str"), (iter([1, 2]), "iterator"), (np.array(1), "ndarray")],
)
def test_predictions_that_are_no_list_are_named(predictions: Any, named: str) -> None:
    with pytest.raises(TrialFailed) as caught:
        check_predictions(Template, predictions, 2)
    assert caught.value.failure.code == FailureCode.BAD_PREDICTIONS
    assert named in caught.value.failure.message


def test_a_wrong_count_of_predictions_is_named() -> None:
    with pytest.raises(TrialFailed, match="3 predictions for 2 queries"):
        check_predictions(Template, [1, 2, 3], 2)
