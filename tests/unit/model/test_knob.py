import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rafiki.model import (
    ArchKnob,
    BaseKnob,
    CategoricalKnob,
    FixedKnob,
    FloatKnob,
    IntegerKnob,
    KnobValue,
    PolicyKnob,
    deserialize_knob_config,
    serialize_knob_config,
)


def test_categorical_knob_holds_knob_values():
    knob = CategoricalKnob(["gini", KnobValue("entropy")])
    assert [value.value for value in knob.values] == ["gini", "entropy"]
    assert all(isinstance(value, KnobValue) for value in knob.values)
    assert knob.value_type is str


def test_fixed_knob():
    knob = FixedKnob(3)
    assert (knob.value.value, knob.value.dtype, knob.value_type) == (3, int, int)


def test_ranges():
    knob = IntegerKnob(1, 8, is_exp=True)
    assert (knob.value_min, knob.value_max, knob.is_exp, knob.value_type) == (1, 8, True, int)
    knob = FloatKnob(0, 1)
    assert (knob.value_min, knob.value_max, knob.is_exp, knob.value_type) == (0.0, 1.0, False, float)
    assert type(knob.value_min) is float


def test_ranges_of_one_value_and_from_zero_are_fine():
    IntegerKnob(4, 4)
    FloatKnob(0.5, 0.5, is_exp=True)
    assert FloatKnob(0, 1, is_exp=True).value_min == 0
    assert IntegerKnob(0, 10, is_exp=True).value_min == 0


def test_policy_knob():
    knob = PolicyKnob("EARLY_STOP")
    assert (knob.policy, knob.value_type) == ("EARLY_STOP", bool)


def test_arch_knob():
    shared = KnobValue(1)
    knob = ArchKnob([[shared, 2], [shared, 3, 4]])
    assert len(knob) == 2
    assert [[value.value for value in item] for item in knob.items] == [[1, 2], [1, 3, 4]]
    assert knob.items[0][0] is knob.items[1][0] is shared
    assert knob.value_type is list


@pytest.mark.parametrize(
    ("given_value", "plain", "plain_type"),
    [
        (np.int64(3), 3, int),
        (np.float32(0.5), 0.5, float),
        (np.float64(0.1), 0.1, float),
        (np.bool_(True), True, bool),
        (np.str_("a"), "a", str),
        (True, True, bool),
    ],
)
def test_numpy_scalars_become_plain_values(given_value, plain, plain_type):
    for value in (FixedKnob(given_value).value, CategoricalKnob([given_value]).values[0], KnobValue(given_value)):
        assert value.value == plain
        assert type(value.value) is value.dtype is plain_type


def test_numpy_scalars_and_arrays_as_arguments():
    assert IntegerKnob(np.int32(1), np.uint8(5)) == IntegerKnob(1, 5)
    assert FloatKnob(np.float32(0.5), np.int64(2), is_exp=np.bool_(True)) == FloatKnob(0.5, 2, True)
    assert CategoricalKnob(np.array([1, 2])) == CategoricalKnob([1, 2]) == CategoricalKnob(range(1, 3))
    assert ArchKnob(np.array([[1, 2], [3, 4]])) == ArchKnob([[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: CategoricalKnob([]), ValueError, "empty"),
        (lambda: CategoricalKnob("abc"), TypeError, "'abc'"),
        (lambda: CategoricalKnob({"a", "b"}), TypeError, "set"),
        (lambda: CategoricalKnob([1, 2.5]), TypeError, "2.5"),
        (lambda: CategoricalKnob([True, 1]), TypeError, "True"),
        (lambda: CategoricalKnob([None]), TypeError, "None"),
        (lambda: CategoricalKnob([[1]]), TypeError, r"\[1\]"),
        (lambda: CategoricalKnob([math.nan]), ValueError, "nan"),
        (lambda: FixedKnob(None), TypeError, "NoneType"),
        (lambda: FixedKnob({}), TypeError, "dict"),
        (lambda: FixedKnob(math.inf), ValueError, "inf"),
        (lambda: KnobValue(KnobValue(1)), TypeError, "KnobValue"),
        (lambda: IntegerKnob(2, 1), ValueError, "2 .* 1"),
        (lambda: IntegerKnob(0.5, 1), TypeError, "value_min.*0.5"),
        (lambda: IntegerKnob(0, 1.0), TypeError, "value_max.*1.0"),
        (lambda: IntegerKnob(False, 1), TypeError, "value_min.*False"),
        (lambda: IntegerKnob(0, "1"), TypeError, "'1'"),
        (lambda: IntegerKnob(-1, 1, is_exp=True), ValueError, "-1"),
        (lambda: IntegerKnob(1, 2, is_exp=1), TypeError, "is_exp.*1"),
        (lambda: FloatKnob(1, 0.5), ValueError, "0.5"),
        (lambda: FloatKnob(-0.1, 0.5, is_exp=True), ValueError, "-0.1"),
        (lambda: FloatKnob(0, math.inf), ValueError, "inf"),
        (lambda: FloatKnob(math.nan, 1), ValueError, "nan"),
        (lambda: FloatKnob(0, 10**400), ValueError, "value_max"),
        (lambda: FloatKnob(True, 1), TypeError, "True"),
        (lambda: FloatKnob("0", 1), TypeError, "'0'"),
        (lambda: PolicyKnob("EARLY"), ValueError, "'EARLY'"),
        (lambda: PolicyKnob(None), TypeError, "None"),
        (lambda: ArchKnob([]), ValueError, "empty"),
        (lambda: ArchKnob([[1], []]), ValueError, r"items\[1\]"),
        (lambda: ArchKnob([1]), TypeError, r"items\[0\]"),
        (lambda: ArchKnob([[None]]), TypeError, r"items\[0\].*None"),
    ],
)
def test_bad_arguments_say_what_was_given(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_equality_is_by_type_and_value():
    assert IntegerKnob(1, 2) == IntegerKnob(1, 2)
    assert hash(IntegerKnob(1, 2)) == hash(IntegerKnob(1, 2))
    assert IntegerKnob(1, 2) != FloatKnob(1, 2)
    assert FixedKnob(1) != FixedKnob(1.0)
    assert FixedKnob(1) != FixedKnob(True)
    assert FixedKnob(1) != 1
    shared = KnobValue(1)
    assert ArchKnob([[shared], [shared]]) == ArchKnob([[shared], [shared]])
    assert ArchKnob([[shared], [shared]]) != ArchKnob([[1], [1]])
    assert KnobValue(1) != KnobValue(1)


def test_repr_reads_like_the_constructor():
    assert repr(CategoricalKnob([1, 2])) == "CategoricalKnob(values=[1, 2])"
    assert repr(FloatKnob(0, 1)) == "FloatKnob(value_min=0.0, value_max=1.0, is_exp=False)"
    assert repr(ArchKnob([["a"], ["b"]])) == "ArchKnob(items=[['a'], ['b']])"
    assert repr(KnobValue("a")) == "KnobValue('a')"
    assert str(KnobValue("a")) == "a"


def test_knobs_do_not_change_with_what_they_were_made_from_or_gave():
    values = [1, 2]
    knob = CategoricalKnob(values)
    values.append(3)
    knob.values.clear()
    assert knob == CategoricalKnob([1, 2])


def test_knobs_can_be_copied_and_pickled_by_templates():
    shared = KnobValue(1)
    knob = ArchKnob([[shared, 2], [shared]])
    for other in (copy.deepcopy(knob), pickle.loads(pickle.dumps(knob))):
        assert other == knob
        assert other.items[0][0] is other.items[1][0]


def test_base_knob_is_abstract():
    with pytest.raises(TypeError):
        BaseKnob()


def test_json_keeps_identity_across_positions_and_knobs():
    left, right = KnobValue("a"), KnobValue("a")
    config = {
        "normal": ArchKnob([[left, right], [left, right]]),
        "reduction": ArchKnob([[left, "a"], ["a"]]),
        "other": CategoricalKnob([left, right, "a"]),
    }
    read = deserialize_knob_config(serialize_knob_config(config))
    assert read == config
    normal, reduction = read["normal"].items, read["reduction"].items
    assert normal[0][0] is normal[1][0] is reduction[0][0] is read["other"].values[0]
    assert normal[0][1] is normal[1][1] is read["other"].values[1]
    assert normal[0][0] is not normal[0][1]
    assert len({id(value) for value in [normal[0][0], normal[0][1], reduction[0][1], reduction[1][0]]}) == 4


def test_json_of_a_subclass_goes_by_our_name():
    class Small(IntegerKnob):
        def __init__(self):
            super().__init__(1, 3)

    assert deserialize_knob_config(serialize_knob_config({"x": Small()})) == {"x": IntegerKnob(1, 3)}


@pytest.mark.parametrize("config", [None, [], {1: FixedKnob(1)}, {"x": 1}, {"x": IntegerKnob}])
def test_what_is_no_knob_config_is_refused(config):
    with pytest.raises(TypeError):
        serialize_knob_config(config)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '{"x": 1}',
        '{"x": {}}',
        '{"x": {"type": "NoKnob"}}',
        '{"x": {"type": "FixedKnob"}}',
        '{"x": {"type": "FixedKnob", "value": null}}',
        '{"x": {"type": "FixedKnob", "value": NaN}}',
        '{"x": {"type": "FixedKnob", "value": {"shared": 0}}}',
        '{"x": {"type": "FixedKnob", "value": {"int": 5}}}',
        '{"x": {"type": "FixedKnob", "value": {"shared": [], "value": 1}}}',
        '{"x": {"type": "CategoricalKnob", "values": [{"shared": 0, "value": 1}, {"shared": 0, "value": 2}]}}',
        '{"x": {"type": "IntegerKnob", "value_min": 2, "value_max": 1, "is_exp": false}}',
        '{"x": {"type": "FixedKnob", "value": ' + "[" * 100_000 + "]" * 100_000 + "}}",
    ],
)
def test_text_that_no_knob_config_can_have_made_is_a_value_error(text):
    with pytest.raises(ValueError, match="knob config"):
        deserialize_knob_config(text)


_floats = st.floats(allow_nan=False, allow_infinity=False)
_huge_ints = st.integers(-(10**5000), 10**5000)
_values = st.one_of(st.integers(), _huge_ints, _floats, st.booleans(), st.text(max_size=5)).map(KnobValue)
_ranges = st.tuples(_huge_ints, _huge_ints).map(sorted)
_float_ranges = st.tuples(_floats, _floats).map(sorted)
_categoricals = st.one_of(*(st.lists(kind, min_size=1, max_size=4) for kind in (st.integers(), _floats, st.booleans())))


@st.composite
def _arch_knobs(draw):
    pool = draw(st.lists(_values, min_size=1, max_size=3))
    position = st.lists(st.sampled_from(pool), min_size=1, max_size=3)
    return ArchKnob(draw(st.lists(position, min_size=1, max_size=4)))


_knobs = st.one_of(
    _categoricals.map(CategoricalKnob),
    _values.map(FixedKnob),
    _ranges.map(lambda ends: IntegerKnob(*ends)),
    _float_ranges.map(lambda ends: FloatKnob(*ends, is_exp=ends[0] >= 0)),
    st.sampled_from(["SHARE_PARAMS", "EARLY_STOP", "SKIP_TRAIN", "QUICK_EVAL", "DOWNSCALE"]).map(PolicyKnob),
    _arch_knobs(),
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), _knobs, max_size=4))
def test_json_round_trip_loses_nothing(config):
    text = serialize_knob_config(config)
    read = deserialize_knob_config(text)
    assert read == config
    assert list(read) == list(config)
    assert serialize_knob_config(read) == text
    for name, knob in config.items():
        assert type(read[name]) is type(knob)
        assert read[name].value_type is knob.value_type
