"""The search of one model: what comes next, after whatever became of the trials before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rafiki.advisor import ParamsType, Proposal, make_advisor
from rafiki.entities import Failure, Model, Trial
from rafiki.model import FloatKnob
from rafiki.runner.active_clock import ActiveClock
from rafiki.runner.model_tuning import MAX_ATTEMPTS, ModelTuning

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = Model("m", "u", "Net", 1, "ANY", "Net", {}, "PRIVATE", None, "hash", "READY", None, [], "{}", NOW)
RAISED = Failure("EXCEPTION", "ValueError: no")
KILLED = Failure("KILLED", "signal 9")
INTERRUPTED = Failure("INTERRUPTED", "the platform stopped")


def make_tuning(n_trials: int = 4, max_failures: int = 3) -> ModelTuning:
    advisor = make_advisor({"x": FloatKnob(0, 1)}, {"MODEL_TRIAL_COUNT": n_trials}, seed=5)
    return ModelTuning(MODEL, advisor, max_failures)


def trial_of(proposal: Proposal, attempt: int = 1, **changes: Any) -> Trial:
    values: dict[str, Any] = {
        "id": f"{proposal.trial_no}-{attempt}", "job_id": "j", "model_id": "m", "model_name": "Net",
        "no": proposal.trial_no, "attempt": attempt, "parent_trial_id": None, "worker_id": "w", "status": "RUNNING",
        "proposal": proposal.to_json(), "score": None, "error": None, "params_hash": None, "is_params_saved": False,
        "datetime_started": NOW, "datetime_stopped": None,
    }  # fmt: skip
    return Trial(**values | changes)


def run_next(tuning: ModelTuning, failure: Failure | None = None, score: float = 0.5) -> tuple[int, int]:
    """Run the next trial to its end; its number and attempt."""
    attempt = tuning.next_attempt("w")
    assert attempt is not None
    trial = trial_of(attempt.proposal, attempt.attempt)
    if failure:
        tuning.failed(trial, attempt.proposal, failure)
    else:
        tuning.completed(trial, attempt.proposal, score, "hash", 1.0)
    return trial.no, trial.attempt


def test_the_search_ends_with_its_trial_budget() -> None:
    tuning = make_tuning(2)
    assert [run_next(tuning), run_next(tuning)] == [(1, 1), (2, 1)]
    assert tuning.next_attempt("w") is None
    assert tuning.has_ended and tuning.failure is None


def test_a_failed_trial_counts_and_the_search_goes_on() -> None:
    tuning = make_tuning(3)
    assert [run_next(tuning, RAISED), run_next(tuning), run_next(tuning, RAISED)] == [(1, 1), (2, 1), (3, 1)]
    assert tuning.next_attempt("w") is None
    assert tuning.failure is None


def test_a_model_whose_first_trials_all_fail_is_given_up() -> None:
    tuning = make_tuning(10, max_failures=3)
    for _ in range(3):
        run_next(tuning, RAISED)
    assert tuning.has_ended
    assert tuning.failure is not None and "ValueError: no" in tuning.failure.message


def test_one_that_completes_late_keeps_the_model() -> None:
    tuning = make_tuning(10, max_failures=1)
    slow, quick = tuning.next_attempt("w1"), tuning.next_attempt("w2")
    assert slow is not None and quick is not None
    tuning.failed(trial_of(quick.proposal), quick.proposal, RAISED)
    assert not tuning.is_searching and not tuning.has_ended
    tuning.completed(trial_of(slow.proposal), slow.proposal, 0.5, "hash", 1.0)
    assert tuning.is_searching and tuning.failure is None


def test_what_the_platform_interrupted_is_repeated_with_the_same_number_and_knobs() -> None:
    tuning = make_tuning(1)
    first = tuning.next_attempt("w")
    assert first is not None and tuning.next_attempt("w") is None
    tuning.failed(trial_of(first.proposal), first.proposal, INTERRUPTED)
    second = tuning.next_attempt("w")
    assert second is not None
    assert (second.attempt, second.proposal) == (2, first.proposal)


@pytest.mark.parametrize(("failure", "n_attempts"), [(KILLED, 2), (INTERRUPTED, MAX_ATTEMPTS), (RAISED, 1)])
def test_repeats_are_bounded(failure: Failure, n_attempts: int) -> None:
    tuning = make_tuning(1)
    attempts = []
    while tuning.is_searching and not tuning.has_ended:
        attempt = tuning.next_attempt("w")
        if attempt is None:
            break
        attempts.append(attempt.attempt)
        tuning.failed(trial_of(attempt.proposal, attempt.attempt), attempt.proposal, failure)
    assert attempts == list(range(1, n_attempts + 1))
    assert tuning.failure is not None


def test_repeats_that_the_budget_prevents_have_failed() -> None:
    tuning = make_tuning(1)
    run_next(tuning, KILLED)
    tuning.end_search()
    assert tuning.has_ended
    assert tuning.failure is not None and tuning.failure.hint == KILLED.hint


def test_a_search_rebuilt_from_stored_trials_goes_on_as_the_first_would_have() -> None:
    first, stored = make_tuning(20), []
    for no in range(1, 13):
        attempt = first.next_attempt("w")
        assert attempt is not None
        score = attempt.proposal.knobs["x"] ** 2
        trial = trial_of(attempt.proposal, status="COMPLETED", score=score, params_hash="h")
        if no == 3:
            trial = trial_of(attempt.proposal, status="ERRORED", error=RAISED)
            first.failed(trial, attempt.proposal, RAISED)
        else:
            first.completed(trial, attempt.proposal, score, "h", 1.0)
        stored.append(trial)
    rebuilt = make_tuning(20)
    rebuilt.replay(stored)
    assert (rebuilt.n_completed, rebuilt.n_started) == (11, 12)
    assert rebuilt.next_attempt("w") == first.next_attempt("w")


def test_a_rebuilt_search_repeats_what_was_interrupted_first() -> None:
    proposal = Proposal(1, {"x": 0.25})
    tuning = make_tuning(3)
    tuning.replay([trial_of(proposal, status="ERRORED", error=INTERRUPTED)])
    attempt = tuning.next_attempt("w")
    assert attempt is not None
    assert (attempt.attempt, attempt.proposal) == (2, proposal)
    following = tuning.next_attempt("w")
    assert following is not None and following.proposal.trial_no == 2
    assert following.proposal.knobs != proposal.knobs


def test_shared_params_are_those_that_the_proposal_asks_for() -> None:
    tuning = make_tuning(9)
    for no, (worker_id, score) in enumerate([("a", 0.4), ("b", 0.9), ("a", 0.3), ("b", 0.1)], 1):
        proposal = Proposal(no, {"x": 0.1}, to_cache_params=True)
        tuning.completed(trial_of(proposal, worker_id=worker_id), proposal, score, f"h{no}", 1.0)

    def hash_of(params_type: ParamsType, worker_id: str = "a") -> str | None:
        shared = tuning.shared_params(params_type, worker_id)
        return shared.params_hash if shared else None

    assert hash_of(ParamsType.NONE) is None
    assert hash_of(ParamsType.GLOBAL_BEST) == "h2"
    assert hash_of(ParamsType.GLOBAL_RECENT) == "h4"
    assert hash_of(ParamsType.LOCAL_BEST) == "h1"
    assert hash_of(ParamsType.LOCAL_RECENT) == "h3"
    assert hash_of(ParamsType.LOCAL_BEST, "c") is None


def test_forgotten_params_are_not_shared_and_those_that_may_be_asked_for_are_named() -> None:
    tuning = make_tuning(9)
    scores = [("a", 0.4), ("b", 0.9), ("a", 0.3), ("b", 0.1), ("b", 0.2)]
    for no, (worker_id, score) in enumerate(scores, 1):
        proposal = Proposal(no, {"x": 0.1}, to_cache_params=True)
        tuning.completed(trial_of(proposal, worker_id=worker_id), proposal, score, f"h{no}", 1.0)
    assert tuning.sharable_trial_ids() == {"1-1", "2-1", "3-1", "5-1"}  # the best and the latest of each worker
    tuning.forget_params(["2-1", "6-1"])
    assert tuning.sharable_trial_ids() == {"1-1", "3-1", "5-1"}
    shared = tuning.shared_params(ParamsType.GLOBAL_BEST, "a")
    assert shared is not None and shared.params_hash == "h1"
    late = Proposal(6, {"x": 0.1}, to_cache_params=True)  # it ended while worse ones were forgotten, itself among them
    tuning.completed(trial_of(late), late, 1.0, "h6", 1.0)
    assert "6-1" not in tuning.sharable_trial_ids()


def test_the_budgets_clock_runs_only_while_trials_do() -> None:
    time_s = 100.0
    clock = ActiveClock(counted_s=5.0, limit_s=20.0, now=lambda: time_s)
    assert clock.elapsed_s == 5.0
    time_s = 200.0  # queueing
    assert clock.elapsed_s == 5.0
    with clock.counting():
        with clock.counting():
            time_s = 204.0
        time_s = 206.0
        assert (clock.elapsed_s, clock.remaining_s, clock.progress()) == (11.0, 9.0, 0.55)
    time_s = 300.0
    assert clock.elapsed_s == 11.0 and not clock.is_over
    with clock.counting():
        time_s = 310.0
        assert clock.is_over and clock.remaining_s == 0.0 and clock.progress() == 1.0
