"""Which advisor is chosen, and how one is named."""

import pytest

from rafiki.advisor import (
    BayesOptAdvisor,
    BayesOptWithParamSharingAdvisor,
    FixedAdvisor,
    RandomAdvisor,
    make_advisor,
)
from rafiki.model import ArchKnob, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, KnobConfig, PolicyKnob

FIXED: KnobConfig = {"a": FixedKnob(1), "share": PolicyKnob("SHARE_PARAMS")}
TUNABLE: KnobConfig = {"a": FloatKnob(0, 1), "b": IntegerKnob(1, 2), "c": CategoricalKnob(["x"]), "d": FixedKnob(2)}
SHARING: KnobConfig = {**TUNABLE, "share": PolicyKnob("SHARE_PARAMS")}
POLICIES = ("SHARE_PARAMS", "EARLY_STOP", "SKIP_TRAIN", "QUICK_EVAL", "DOWNSCALE")
ARCHITECTURE: KnobConfig = {"arch": ArchKnob([[1, 2]]), **{policy.lower(): PolicyKnob(policy) for policy in POLICIES}}


@pytest.mark.parametrize(
    ("config", "advisor"),
    [
        ({}, FixedAdvisor),
        (FIXED, FixedAdvisor),
        (SHARING, BayesOptWithParamSharingAdvisor),
        (TUNABLE, BayesOptAdvisor),
        ({**TUNABLE, "stop": PolicyKnob("EARLY_STOP")}, BayesOptAdvisor),
        (ARCHITECTURE, RandomAdvisor),
        ({**SHARING, "arch": ArchKnob([[1, 2]])}, RandomAdvisor),
    ],
)
def test_the_first_rule_that_fits(config: KnobConfig, advisor: type) -> None:
    assert type(make_advisor(config, {"TIME_HOURS": 24})) is advisor


@pytest.mark.parametrize("name", ["RandomAdvisor", "BayesOptAdvisor", "BayesOptWithParamSharingAdvisor"])
def test_the_budget_can_name_one(name: str) -> None:
    assert type(make_advisor(SHARING, {"ADVISOR": name})).__name__ == name


@pytest.mark.parametrize(
    ("config", "name", "message"),
    [
        (TUNABLE, "GridAdvisor", "no advisor 'GridAdvisor'; the advisors are: FixedAdvisor"),
        (TUNABLE, "FixedAdvisor", "these knobs are not fixed: a, b, c"),
        (TUNABLE, "BayesOptWithParamSharingAdvisor", "no knob of policy SHARE_PARAMS"),
        (ARCHITECTURE, "BayesOptAdvisor", r"cannot tune arch \(ArchKnob\)"),
        (FIXED, "BayesOptAdvisor", "no float, integer or categorical knob"),
    ],
)
def test_naming_one_that_does_not_fit_is_refused(config: KnobConfig, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_advisor(config, {"ADVISOR": name})


def test_a_template_with_nothing_to_tune_gets_one_trial_with_policies_off() -> None:
    advisor = make_advisor(FIXED, {"MODEL_TRIAL_COUNT": 10})
    proposal = advisor.propose("w", 1)
    assert proposal is not None and proposal.knobs == {"a": 1, "share": False}
    assert advisor.propose("w", 2) is None
    empty = make_advisor({}, {}).propose("w", 1)
    assert empty is not None and empty.knobs == {}
