"""What the command line says of budget and knobs."""

import pytest

from rafiki.dev.arguments import fix_knobs, read_budget
from rafiki.model import ArchKnob, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, KnobConfig, PolicyKnob

CONFIG: KnobConfig = {
    "rate": FloatKnob(1e-4, 1.0, is_exp=True),
    "depth": IntegerKnob(1, 8),
    "solver": CategoricalKnob(["adam", "sgd"]),
    "batch": CategoricalKnob([16, 32]),
    "bias": CategoricalKnob([True, False]),
    "stop": PolicyKnob("EARLY_STOP"),
    "epochs": FixedKnob(10),
    "arch": ArchKnob([[1, 2], ["a", "b"]]),
}


def test_command_line_before_budget_before_default() -> None:
    assert read_budget(None, []) == {"TIME_HOURS": 0.01, "MODEL_TRIAL_COUNT": -1, "GPU_COUNT": 0}
    given = {"TIME_HOURS": 2, "MODEL_TRIAL_COUNT": 5, "ADVISOR": "RandomAdvisor"}
    assert read_budget(given, ["--TIME_HOURS=0.5", "--GPU_COUNT=1"]) == {
        "TIME_HOURS": 0.5,
        "MODEL_TRIAL_COUNT": 5,
        "GPU_COUNT": 1,
        "ADVISOR": "RandomAdvisor",
    }
    assert given["TIME_HOURS"] == 2


@pytest.mark.parametrize(
    ("budget", "arguments", "message"),
    [
        (None, ["--TIME_HOURS=soon"], "TIME_HOURS is 'soon', expected a number"),
        (None, ["--MODEL_TRIAL_COUNT=2.5"], "MODEL_TRIAL_COUNT is '2.5', expected a whole number"),
        ({"MODEL_TRIAL_COUNT": -2}, [], "MODEL_TRIAL_COUNT is -2, expected a whole number of at least -1"),
        ({"TIME_HOURS": float("nan")}, [], "TIME_HOURS is nan"),
        ({"GPU_COUNT": 0.5}, [], "GPU_COUNT is 0.5"),
        ({"TIMES_HOUR": 1}, [], "the budget has no key 'TIMES_HOUR'; its keys are .*TIME_HOURS"),
    ],
)
def test_impossible_budgets_are_refused_by_name(budget: dict | None, arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_budget(budget, arguments)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("--rate=0.5", 0.5),
        ("--rate=1", 1.0),
        ("--rate=1e-4", 1e-4),
        ("--depth=8", 8),
        ("--solver=sgd", "sgd"),
        ("--batch=32", 32),
        ("--bias=False", False),
        ("--stop=True", True),
        ("--epochs=2", 2),
    ],
)
def test_a_knob_is_fixed(argument: str, value: object) -> None:
    name = argument[2:].partition("=")[0]
    fixed = fix_knobs(CONFIG, [argument])
    knob = fixed[name]
    assert isinstance(knob, FixedKnob)
    assert type(knob.value.value) is type(value) and knob.value.value == value
    assert list(fixed) == list(CONFIG)
    assert {key: knob for key, knob in fixed.items() if key != name} == {
        key: knob for key, knob in CONFIG.items() if key != name
    }


def test_an_architecture_is_a_literal_list() -> None:
    knob = fix_knobs(CONFIG, ["--arch=[2, 'a']"])["arch"]
    assert isinstance(knob, ArchKnob)
    assert [[each.value for each in item] for item in knob.items] == [[2], ["a"]]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--rate=2", "--rate=2: knob 'rate' takes a number from 0.0001 to 1.0"),
        ("--rate=fast", "takes a number"),
        ("--depth=0", "knob 'depth' takes a whole number from 1 to 8"),
        ("--depth=2.0", "takes a whole number"),
        ("--depth=True", "takes a whole number"),
        ("--solver=lbfgs", "takes one of 'adam', 'sgd'"),
        ("--bias=0", "takes one of True, False"),
        ("--stop=yes", "takes True or False"),
        ("--epochs=many", "takes a value of type int"),
        ("--arch=[2]", "takes a list of 2 values"),
        ("--arch=[2, 'c']", "takes a list of 2 values"),
        ("--arch=[True, 'a']", "takes a list of 2 values"),
    ],
)
def test_values_out_of_range_are_refused(argument: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        fix_knobs(CONFIG, [argument])
    assert message in str(caught.value)


def test_other_arguments_are_left_alone() -> None:
    others = ["--train_path=a.zip", "rate=7", "--rate", "0.5", "-depth=99", "train", "--TIME_HOURS=1"]
    assert fix_knobs(CONFIG, others) == CONFIG
    assert read_budget(None, others)["TIME_HOURS"] == 1.0
