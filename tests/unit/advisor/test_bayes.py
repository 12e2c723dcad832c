"""Bayesian optimisation: its phases, its strength, its cost."""

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rafiki.advisor import BaseAdvisor, ParamsType, Proposal, TrialResult, make_advisor
from rafiki.model import CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, KnobConfig, PolicyKnob

SPACE: KnobConfig = {"x": FloatKnob(0, 1), "n": IntegerKnob(1, 50)}
STOPPING: KnobConfig = {**SPACE, "stop": PolicyKnob("EARLY_STOP"), "quick": PolicyKnob("QUICK_EVAL")}
SHARING: KnobConfig = {**STOPPING, "share": PolicyKnob("SHARE_PARAMS")}


def run(
    advisor: BaseAdvisor, n: int, score: Callable[[dict[str, Any]], float | None], first: int = 1
) -> list[TrialResult]:
    results = []
    for no in range(first, first + n):
        proposal = advisor.propose("w", no)
        assert proposal is not None
        results.append(TrialResult(proposal, score(proposal.knobs)))
        advisor.feedback("w", results[-1])
    return results


def by_x(knobs: dict[str, Any]) -> float:
    return -abs(knobs["x"] - 0.4)


def without_policies(proposal: Proposal) -> dict[str, Any]:
    return {name: proposal.knobs[name] for name in SPACE}


# --- phases ---------------------------------------------------------------------------------------------------------


def test_without_early_stop_all_trials_search() -> None:
    results = run(make_advisor(SPACE, {"MODEL_TRIAL_COUNT": 12}), 12, by_x)
    methods = [result.proposal.meta["method"] for result in results]
    assert methods == ["latin_hypercube"] * 6 + ["gp"] * 6
    assert len({str(result.proposal.knobs) for result in results}) == 12


@pytest.mark.parametrize(("n_trials", "n_final"), [(2, 1), (3, 1), (5, 1), (10, 1), (20, 2)])
def test_the_last_trials_train_the_best_fully(n_trials: int, n_final: int) -> None:
    results = run(make_advisor(STOPPING, {"MODEL_TRIAL_COUNT": n_trials, "TIME_HOURS": 0.1}), n_trials, by_x)
    search, final = results[: n_trials - n_final], results[n_trials - n_final :]
    assert all(result.proposal.knobs["stop"] is True for result in search)
    assert [result.proposal.knobs["stop"] for result in final] == [False] * n_final
    assert all(result.proposal.knobs["quick"] is False for result in results)
    ranked = sorted(search, key=lambda result: -(result.score or 0.0))
    assert [without_policies(result.proposal) for result in final] == [
        without_policies(result.proposal) for result in ranked[:n_final]
    ]
    assert {result.proposal.meta["method"] for result in final} == {"final"}


def test_a_budget_of_one_trial_is_one_full_training() -> None:
    proposal = make_advisor(STOPPING, {"MODEL_TRIAL_COUNT": 1}).propose("w", 1)
    assert proposal is not None and proposal.knobs["stop"] is False


@pytest.mark.parametrize(
    ("hours", "last_of_search", "first_of_final"), [(12, 0.91, 0.92), (2, 0.49, 0.5), (0.1, 0.74, 0.75)]
)
def test_the_last_hour_or_share_of_the_time_trains_the_best_fully(
    hours: float, last_of_search: float, first_of_final: float
) -> None:
    now = 0.0
    advisor = make_advisor(STOPPING, {"TIME_HOURS": hours}, time_progress=lambda: now)
    results = run(advisor, 4, by_x)
    now = last_of_search
    results += run(advisor, 1, by_x, first=5)
    assert results[-1].proposal.knobs["stop"] is True
    now = first_of_final
    finals = run(advisor, 6, by_x, first=6)
    assert all(result.proposal.knobs["stop"] is False for result in finals)
    ranked = sorted(results, key=lambda result: -(result.score or 0.0))
    assert [without_policies(final.proposal) for final in finals[:5]] == [
        without_policies(result.proposal) for result in ranked
    ]
    assert finals[5].proposal.meta["method"] != "final"  # all are trained: a new point, fully


def test_where_the_search_only_failed_the_last_trial_is_a_new_point_trained_fully() -> None:
    results = run(make_advisor(STOPPING, {"MODEL_TRIAL_COUNT": 4}), 4, lambda knobs: None)
    assert [result.proposal.knobs["stop"] for result in results] == [True, True, True, False]


def test_final_trials_that_run_at_the_same_time_differ() -> None:
    advisor = make_advisor(STOPPING, {"MODEL_TRIAL_COUNT": 20})
    run(advisor, 18, by_x)
    first, second = advisor.propose("a", 19), advisor.propose("b", 20)
    assert first is not None and second is not None
    assert without_policies(first) != without_policies(second)


# --- shared parameters ------------------------------------------------------------------------------------------------


def test_shared_parameters_are_taken_more_and_more_often() -> None:
    n = 60
    firsts, lasts = [], []
    for seed in range(8):
        advisor = make_advisor(SHARING, {"MODEL_TRIAL_COUNT": n, "TIME_HOURS": 0.1}, seed=seed)
        for no in [1, *range(2, 12), *range(50, 61)]:
            proposal = advisor.propose("w", no)
            assert proposal is not None
            assert proposal.params_type in (ParamsType.NONE, ParamsType.GLOBAL_BEST)
            assert (proposal.knobs["share"], proposal.knobs["stop"], proposal.knobs["quick"]) == (True, True, False)
            assert proposal.to_cache_params and proposal.to_save_params and proposal.to_eval
            (firsts if no < 12 else lasts).append(proposal.params_type is ParamsType.NONE)
            assert no > 1 or proposal.params_type is ParamsType.NONE
    assert statistics.mean(firsts) == pytest.approx(0.72, abs=0.15)
    assert statistics.mean(lasts) < 0.15


def test_the_clock_counts_where_there_is_no_number_of_trials() -> None:
    advisor = make_advisor(SHARING, {"TIME_HOURS": 1}, time_progress=lambda: 0.0)
    early = [advisor.propose("w", no) for no in range(1, 10)]
    assert all(proposal and proposal.params_type is ParamsType.NONE for proposal in early)
    advisor = make_advisor(SHARING, {"TIME_HOURS": 1}, time_progress=lambda: 1.0)
    late = [advisor.propose("w", no) for no in range(1, 10)]
    assert sum(proposal is not None and proposal.params_type is ParamsType.GLOBAL_BEST for proposal in late) >= 8


# --- finite spaces ----------------------------------------------------------------------------------------------------


def test_a_small_space_is_seen_whole_before_anything_is_tried_twice() -> None:
    config: KnobConfig = {
        "n": IntegerKnob(1, 4),
        "c": CategoricalKnob(["a", "b"]),
        "on": CategoricalKnob([True, False]),
    }
    results = run(make_advisor(config, {"MODEL_TRIAL_COUNT": 20}), 20, lambda knobs: knobs["n"] * (1 + knobs["on"]))
    assert len({str(result.proposal.knobs) for result in results[:16]}) == 16
    assert all(result.proposal.knobs["n"] >= 3 for result in results[16:])  # then the promising ones again


def test_a_space_of_one_point_goes_on() -> None:
    results = run(make_advisor({"n": IntegerKnob(3, 3)}, {"MODEL_TRIAL_COUNT": 14}), 14, lambda knobs: 1.0)
    assert {result.proposal.knobs["n"] for result in results} == {3}


def test_parallel_workers_do_not_repeat_each_other_in_a_small_space() -> None:
    advisor = make_advisor({"n": IntegerKnob(1, 16)}, {"MODEL_TRIAL_COUNT": 16})
    run(advisor, 8, lambda knobs: float(knobs["n"]))
    outstanding = [advisor.propose(f"w{no}", no) for no in range(9, 17)]
    assert len({proposal.knobs["n"] for proposal in outstanding if proposal}) == 8


# --- strength and cost ------------------------------------------------------------------------------------------------


def branin(knobs: dict[str, Any]) -> float:
    x, y = knobs["x"], knobs["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return -(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def network(knobs: dict[str, Any]) -> float | None:
    """As scores of a small network are: a ridge in the rate, a better solver, some choices that diverge."""
    rate = math.log10(knobs["rate"]) + (2.5 if knobs["solver"] == "adam" else 1.5)
    if rate > 1.2:
        return None
    penalty = 0.3 if knobs["solver"] == "sgd" else 0.0
    return 1.0 - 0.2 * rate**2 - penalty - 0.1 * (math.log2(knobs["units"]) - 6) ** 2


PROBLEMS: dict[str, tuple[KnobConfig, Callable[[dict[str, Any]], float | None]]] = {
    "branin": ({"x": FloatKnob(-5, 10), "y": FloatKnob(0, 15)}, branin),
    "network": (
        {
            "rate": FloatKnob(1e-5, 1, is_exp=True),
            "units": IntegerKnob(4, 512, is_exp=True),
            "solver": CategoricalKnob(["adam", "sgd"]),
            "fixed": FixedKnob(0),
        },
        network,
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_it_beats_random_search(name: str) -> None:
    config, score = PROBLEMS[name]
    medians = {}
    for advisor_name in ("BayesOptAdvisor", "RandomAdvisor"):
        bests = []
        for seed in range(3):
            advisor = make_advisor(config, {"MODEL_TRIAL_COUNT": 25, "ADVISOR": advisor_name}, seed=seed)
            bests.append(max(r.score for r in run(advisor, 25, score) if r.score is not None))
        medians[advisor_name] = statistics.median(bests)
    optimum = {"branin": -0.397887, "network": 1.0}[name]
    assert optimum - medians["BayesOptAdvisor"] < 0.5 * (optimum - medians["RandomAdvisor"])


def test_hundreds_of_results_are_modelled_at_a_bounded_cost() -> None:
    config: KnobConfig = {f"x{i}": FloatKnob(0, 1) for i in range(4)}
    advisor = make_advisor(config, {"MODEL_TRIAL_COUNT": -1})
    rng = np.random.default_rng(0)
    for no in range(1, 301):
        knobs = {name: float(rng.random()) for name in config}
        advisor.feedback("w", TrialResult(Proposal(no, knobs), -sum((x - 0.7) ** 2 for x in knobs.values())))
    proposal = advisor.propose("w", 301)
    assert proposal is not None
    assert all(abs(x - 0.7) < 0.1 for x in proposal.knobs.values())
