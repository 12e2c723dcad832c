"""What every advisor guarantees, whichever it is."""

import json
import math
import random

import pytest

from rafiki.advisor import ADVISORS, BaseAdvisor, ParamsType, Proposal, TrialResult, make_advisor
from rafiki.model import (
    ArchKnob,
    CategoricalKnob,
    FixedKnob,
    FloatKnob,
    IntegerKnob,
    KnobConfig,
    KnobValue,
    PolicyKnob,
)

BASIC: KnobConfig = {
    "rate": FloatKnob(1e-5, 1.0, is_exp=True),
    "momentum": FloatKnob(0, 1),
    "from_zero": FloatKnob(0.0, 10.0, is_exp=True),
    "depth": IntegerKnob(1, 12),
    "units": IntegerKnob(1, 1024, is_exp=True),
    "units_from_zero": IntegerKnob(0, 64, is_exp=True),
    "same": FloatKnob(2.0, 2.0),
    "solver": CategoricalKnob(["adam", "sgd", "lbfgs"]),
    "nesterov": CategoricalKnob([True, False]),
    "batch": CategoricalKnob([16, 32, 64]),
    "name": FixedKnob("net"),
    "quick": PolicyKnob("QUICK_EVAL"),
}
SHARED = KnobValue("conv3")
CONFIGS: dict[str, KnobConfig] = {
    "FixedAdvisor": {"a": FixedKnob(1), "b": FixedKnob(True), "stop": PolicyKnob("EARLY_STOP")},
    "FixedAdvisor, empty": {},
    "RandomAdvisor": {**BASIC, "arch": ArchKnob([[SHARED, KnobValue("conv5")], [0, 1], [SHARED, KnobValue("skip")]])},
    "BayesOptAdvisor": BASIC,
    "BayesOptAdvisor, early stop": {**BASIC, "stop": PolicyKnob("EARLY_STOP")},
    "BayesOptWithParamSharingAdvisor": {**BASIC, "share": PolicyKnob("SHARE_PARAMS"), "stop": PolicyKnob("EARLY_STOP")},
}
N_TRIALS = 13


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> KnobConfig:
    return CONFIGS[request.param]


def new(config: KnobConfig, seed: int = 3, **budget: object) -> BaseAdvisor:
    return make_advisor(config, {"MODEL_TRIAL_COUNT": N_TRIALS, **budget}, seed=seed)


def score_of(proposal: Proposal) -> float | None:
    """A score that depends on the knobs alone; some trials fail."""
    if proposal.trial_no % 5 == 4:
        return None
    return math.sin(proposal.trial_no) + float(proposal.knobs.get("momentum", 0.0))


def search(advisor: BaseAdvisor, first: int = 1) -> list[TrialResult]:
    results = []
    for no in range(first, N_TRIALS + 2):
        proposal = advisor.propose("w", no)
        if proposal is None:
            break
        results.append(TrialResult(proposal, score_of(proposal)))
        advisor.feedback("w", results[-1])
    return results


def test_every_advisor_is_tested_here() -> None:
    chosen = {type(new(config)) for config in CONFIGS.values()}
    assert chosen == set(ADVISORS)


@pytest.mark.parametrize("name", CONFIGS)
def test_rules_choose_the_advisor(name: str) -> None:
    assert type(new(CONFIGS[name])).__name__ == name.partition(",")[0]


def test_knobs_are_complete_within_bounds_and_of_plain_types(config: KnobConfig) -> None:
    for result in search(new(config)):
        knobs = result.proposal.knobs
        assert list(knobs) == list(config)
        for name, value in knobs.items():
            knob = config[name]
            assert type(value) is knob.value_type
            if isinstance(knob, (FloatKnob, IntegerKnob)):
                assert knob.value_min <= value <= knob.value_max
            elif isinstance(knob, CategoricalKnob):
                assert value in [each.value for each in knob.values]
            elif isinstance(knob, FixedKnob):
                assert value == knob.value.value
            elif isinstance(knob, ArchKnob):
                assert len(value) == len(knob)
                for chosen, candidates in zip(value, knob.items, strict=True):
                    assert [type(chosen), chosen] in [[each.dtype, each.value] for each in candidates]
        assert knobs.get("quick", False) is False


def test_proposals_are_json(config: KnobConfig) -> None:
    for result in search(new(config)):
        text = json.dumps(result.to_json(), allow_nan=False)
        again = TrialResult.from_json(json.loads(text))
        assert again == result
        assert isinstance(again.proposal.params_type, ParamsType)
        assert result.proposal.meta["method"]


def test_replaying_stored_results_gives_the_same_next_proposal(config: KnobConfig) -> None:
    results = search(new(config))
    for n in (1, 8, len(results)):
        stored = [TrialResult.from_json(json.loads(json.dumps(result.to_json()))) for result in results[:n]]
        advisor = new(config)
        advisor.replay(stored)
        assert search(advisor, first=len(stored) + 1) == results[n:]


def test_the_order_of_results_does_not_matter(config: KnobConfig) -> None:
    results = search(new(config))[:10]
    shuffled = results.copy()
    random.Random(0).shuffle(shuffled)
    in_order, out_of_order = new(config), new(config)
    in_order.replay(results)
    for result in shuffled:  # asked now and then, as by parallel workers
        out_of_order.propose("w", 11)
        out_of_order.feedback(f"w{result.proposal.trial_no % 3}", result)
    assert in_order.propose("a", 11) == out_of_order.propose("b", 11)


def test_running_trials_can_be_told_too(config: KnobConfig) -> None:
    advisor = new(config)
    results, running = [], []
    for no in range(1, 12):
        proposal = advisor.propose("w", no)
        if proposal is None:
            break
        if no < 9:
            results.append(TrialResult(proposal, score_of(proposal)))
            advisor.feedback("w", results[-1])
        else:
            running.append(proposal)
    rebuilt = new(config)
    rebuilt.replay(results, running)
    assert rebuilt.propose("w", 12) == advisor.propose("w", 12)


def test_seeds_differ_and_the_same_seed_does_not(config: KnobConfig) -> None:
    if type(new(config)).__name__ == "FixedAdvisor":
        assert search(new(config, seed=1)) == search(new(config, seed=2))
    else:
        assert search(new(config, seed=1)) != search(new(config, seed=2))
    assert search(new(config, seed=2**200 - 1)) == search(new(config, seed=2**200 - 1))


def test_outstanding_proposals_differ(config: KnobConfig) -> None:
    advisor = new(config, MODEL_TRIAL_COUNT=40)
    for no in range(1, 13):
        proposal = advisor.propose("w", no)
        if proposal is None:
            return
        advisor.feedback("w", TrialResult(proposal, score_of(proposal)))
    outstanding = [advisor.propose(f"w{no}", no) for no in range(13, 18)]
    knobs = [json.dumps(proposal.knobs) for proposal in outstanding if proposal]
    assert len(set(knobs)) == 5


def test_a_search_whose_trials_all_fail_goes_on(config: KnobConfig) -> None:
    advisor = new(config)
    n_expected = 1 if type(advisor).__name__ == "FixedAdvisor" else N_TRIALS
    no = 1
    while (proposal := advisor.propose("w", no)) is not None:
        advisor.feedback("w", TrialResult(proposal, [None, math.nan, math.inf, -math.inf][no % 4]))
        no += 1
    assert no - 1 == n_expected


def test_extreme_and_equal_scores_do_no_harm(config: KnobConfig) -> None:
    for scores in ([0.5], [-1e300, 1e300], [0.0, 1e-300], [-1e30, 0.1, 0.2]):
        advisor = new(config)
        for no in range(1, N_TRIALS + 1):
            proposal = advisor.propose("w", no)
            if proposal is None:
                break
            assert all(not isinstance(value, float) or math.isfinite(value) for value in proposal.knobs.values())
            advisor.feedback("w", TrialResult(proposal, scores[no % len(scores)]))


def test_the_number_of_trials_ends_the_search(config: KnobConfig) -> None:
    advisor = new(config)
    assert advisor.propose("w", N_TRIALS + 1) is None
    assert new(config, MODEL_TRIAL_COUNT=0).propose("w", 1) is None
    unlimited = new(config, MODEL_TRIAL_COUNT=-1)
    assert unlimited.propose("w", 1) is not None
    if type(advisor).__name__ != "FixedAdvisor":
        assert unlimited.propose("w", 10**6) is not None


def test_asking_again_for_a_number_proposes_the_same(config: KnobConfig) -> None:
    advisor = new(config)
    first = advisor.propose("w", 1)
    assert advisor.propose("w", 1) == first
