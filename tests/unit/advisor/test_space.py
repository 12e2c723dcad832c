"""Knobs as rows of numbers, and back."""

import numpy as np
import pytest

from rafiki.advisor.space import Space
from rafiki.model import CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, KnobConfig

CONFIG: KnobConfig = {
    "float": FloatKnob(-2.0, 3.0),
    "log": FloatKnob(1e-6, 1e2, is_exp=True),
    "zero": FloatKnob(0.0, 1.0, is_exp=True),
    "only_zero": FloatKnob(0.0, 0.0, is_exp=True),
    "wide": FloatKnob(-1.7e308, 1.7e308),
    "int": IntegerKnob(-3, 9),
    "log_int": IntegerKnob(1, 4096, is_exp=True),
    "zero_int": IntegerKnob(0, 100, is_exp=True),
    "huge": IntegerKnob(0, 2**63 - 1),
    "one": IntegerKnob(5, 5, is_exp=True),
    "category": CategoricalKnob(["a", "b", "c"]),
    "fixed": FixedKnob(1),
}


def test_values_of_any_row_are_within_bounds_and_come_back() -> None:
    space = Space(CONFIG)
    rng = np.random.default_rng(0)
    for row in [*space.sample(rng, 300), *space.from_uniform(np.array([[0.0] * 11, [1.0] * 11]))]:
        knobs = space.to_knobs(row)
        assert list(knobs) == [name for name in CONFIG if name != "fixed"]
        for name, value in knobs.items():
            knob = CONFIG[name]
            assert type(value) is knob.value_type
            assert not isinstance(knob, (FloatKnob, IntegerKnob)) or knob.value_min <= value <= knob.value_max
        again = space.to_rows([knobs])[0]
        assert np.isfinite(again).all()
        np.testing.assert_allclose(again, row, atol=1e-9)


def test_integers_and_categories_are_uniform_and_exponential_knobs_log_uniform() -> None:
    space = Space({"i": IntegerKnob(1, 4), "c": CategoricalKnob([True, False]), "l": FloatKnob(1e-4, 1, is_exp=True)})
    knobs = [space.to_knobs(row) for row in space.sample(np.random.default_rng(1), 4000)]
    assert np.bincount([each["i"] for each in knobs])[1:] == pytest.approx([1000] * 4, rel=0.12)
    assert sum(each["c"] for each in knobs) == pytest.approx(2000, rel=0.08)
    assert sum(each["l"] < 1e-2 for each in knobs) == pytest.approx(2000, rel=0.08)


def test_rows_of_a_finite_space_are_all_its_points() -> None:
    space = Space({"i": IntegerKnob(1, 3), "c": CategoricalKnob(["a", "b", "a"]), "f": FloatKnob(1, 1)})
    assert space.size == 6
    assert {space.key(space.to_knobs(row)) for row in space.rows} == {(i, c, 1.0) for i in (1, 2, 3) for c in "ab"}
    assert Space(CONFIG).size is None


def test_unseen_finds_the_last_point_that_is_left() -> None:
    space = Space({"i": IntegerKnob(1, 40, is_exp=True), "c": CategoricalKnob([0.5, 1.5])})
    rng = np.random.default_rng(2)
    seen = {space.key(space.to_knobs(row)) for row in space.rows} - {(17, 1.5)}
    left = space.unseen(rng, seen)
    assert left is not None and space.to_knobs(left) == {"i": 17, "c": 1.5}
    assert space.unseen(rng, seen | {(17, 1.5)}) is None
