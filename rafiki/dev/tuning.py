"""The tuning half: the platform's advisor, trials and parameter files, one trial after the other."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rafiki.advisor import BaseAdvisor, Proposal, TrialResult, make_advisor
from rafiki.constants import Budget, BudgetOption
from rafiki.dev import report
from rafiki.dev.arguments import fix_knobs, read_budget
from rafiki.dev.devices import visible_gpus
from rafiki.dev.kept_params import KeptParams, Trained
from rafiki.dev.round_trip import RoundTrip
from rafiki.dev.template import blaming, load_trained, sentence, teardown, told_to_the_author
from rafiki.entities import Failure, FailureCode
from rafiki.model import BaseModel, Params
from rafiki.worker.failures import TrialFailed
from rafiki.worker.trial import check_score, destroy, run_trial

#: So many failed trials before the first that succeeds end the search, as on the platform.
MAX_FIRST_FAILURES = 3

_WORKER = "local"
_SECONDS_PER_HOUR = 3600.0


@told_to_the_author
def tune_model(
    py_model_class: type[BaseModel],
    train_dataset_path: str,
    val_dataset_path: str,
    test_dataset_path: str | None = None,
    budget: Budget | None = None,
    train_args: Mapping[str, Any] | None = None,
) -> tuple[Proposal, float | None, Params]:
    """Tune a template: `(best_proposal, test_score, best_params)`; `test_score` is None without a test dataset.

    Reads the command line: `--TIME_HOURS=`, `--MODEL_TRIAL_COUNT=` and `--GPU_COUNT=` win over `budget`, which wins
    over the default of 0.01 h; `--<knob>=value` fixes a knob. A failing trial does not end the search;
    `InvalidModelClassError`, with the template's line, is raised if none succeeds. ValueError for a budget or knob
    value that cannot be.
    """
    data = TuningData(str(train_dataset_path), str(val_dataset_path), test_dataset_path, dict(train_args or {}))
    tuned = tune(py_model_class, data, budget)
    return tuned.proposal, tuned.test_score, tuned.params


@dataclass(frozen=True)
class TuningData:
    train_path: str
    val_path: str
    test_path: str | None
    train_args: dict[str, Any]


@dataclass(frozen=True)
class Tuned:
    """What came of a search: its best trial, how many there were, and how long trials and the test took."""

    proposal: Proposal
    score: float | None
    test_score: float | None
    params: Params
    n_trials: int
    trials_s: float
    test_s: float


def tune(
    model_class: type[BaseModel], data: TuningData, budget: Budget | None, round_trip: RoundTrip | None = None
) -> Tuned:
    """What `tune_model` does. Raises `TrialFailed`; also where the first trial does not survive its `round_trip`."""
    arguments = sys.argv[1:]
    full_budget = read_budget(budget, arguments)
    if full_budget[BudgetOption.MODEL_TRIAL_COUNT] == 0:
        raise ValueError("MODEL_TRIAL_COUNT is 0, which allows no trial; -1 is for as many as there is time for")
    with blaming(model_class):
        knob_config = model_class.get_knob_config()
    budget_s = full_budget[BudgetOption.TIME_HOURS] * _SECONDS_PER_HOUR
    clock = _Clock(budget_s)
    advisor = make_advisor(fix_knobs(knob_config, arguments), full_budget, time_progress=clock.progress)
    report.section(f"Tuning {model_class.__name__} with {type(advisor).__name__}")
    report.note(f"Budget: {report.as_arguments(full_budget)} ({budget_s:g} s)")
    with (
        tempfile.TemporaryDirectory(prefix="rafiki-") as folder,
        visible_gpus(full_budget[BudgetOption.GPU_COUNT]),
        report.without_tracebacks(),
    ):
        search = _Search(model_class, advisor, clock, data, KeptParams(Path(folder)), round_trip)
        try:
            best = search.run()
            trials_s, tested = clock.used_s, time.monotonic()
            test_score = None if data.test_path is None else _test(model_class, best, str(data.test_path))
            test_s = time.monotonic() - tested
        finally:
            teardown(model_class)
        return Tuned(best.proposal, best.score, test_score, best.load(), search.n_trials, trials_s, test_s)


class _Clock:
    """The time that a search may take, from now on."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._started = time.monotonic()
        self._durations_s: list[float] = []

    @property
    def used_s(self) -> float:
        return time.monotonic() - self._started

    def progress(self) -> float:
        return min(self.used_s / self._limit_s, 1.0) if self._limit_s > 0 else 1.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time within does not count."""
        paused_at = time.monotonic()
        try:
            yield
        finally:
            self._started += time.monotonic() - paused_at

    def note_duration(self, duration_s: float) -> None:
        self._durations_s.append(duration_s)

    def has_time_for_trial(self) -> bool:
        """Whether a trial that takes as long as the past ones would end in time."""
        typical_s = statistics.median(self._durations_s) if self._durations_s else 0.0
        return self.used_s + typical_s < self._limit_s


class _Search:
    """One trial after the other, as the advisor proposes them and the budget allows."""

    def __init__(
        self,
        model_class: type[BaseModel],
        advisor: BaseAdvisor,
        clock: _Clock,
        data: TuningData,
        kept: KeptParams,
        round_trip: RoundTrip | None,
    ) -> None:
        self.n_trials = 0
        self._class = model_class
        self._advisor = advisor
        self._clock = clock
        self._data = data
        self._kept = kept
        self._round_trip = round_trip
        self._failures: dict[int, TrialFailed] = {}

    def run(self) -> Trained:
        """The best trial. The first one runs whatever the time."""
        while self.n_trials == 0 or self._clock.has_time_for_trial():
            proposal = self._advisor.propose(_WORKER, self.n_trials + 1)
            if proposal is None or (self._kept.best is None and len(self._failures) >= MAX_FIRST_FAILURES):
                break
            self.n_trials += 1
            self._advisor.feedback(_WORKER, TrialResult(proposal, self._run_trial(proposal)))
        if self._kept.best is None:
            raise _all_failed(list(self._failures.values()))
        best = self._kept.best
        report.note(f"Best: trial {best.proposal.trial_no}, score {_shown(best.score)}")
        if self._failures:
            report.note(f"{len(self._failures)} of {self.n_trials} trials failed; their arguments repeat them.")
        return best

    def _run_trial(self, proposal: Proposal) -> float | None:
        """The score of a trial, whose parameters are kept as its proposal says; None if it failed."""
        report.note(f"Trial {proposal.trial_no}: {report.as_arguments(proposal.knobs)}")
        started = time.monotonic()
        round_trip = None if self._round_trip is None or self._round_trip.is_done else self._round_trip
        try:
            outcome = run_trial(
                self._class,
                proposal.knobs,
                self._data.train_path,
                self._data.val_path,
                self._kept.shared(proposal.params_type),
                self._data.train_args,
                proposal.to_eval,
                want_params=proposal.to_save_params or proposal.to_cache_params,
                look=round_trip.look if round_trip is not None else None,
            )
        except TrialFailed as error:
            self._note_failure(proposal.trial_no, error)
            return None
        duration_s = time.monotonic() - started
        self._clock.note_duration(duration_s)
        report.note(f"  score {_shown(outcome.score)}{report.seconds(duration_s)}")
        if outcome.params is not None:
            self._kept.keep(proposal, outcome.score, outcome.params)
            if round_trip is not None:
                with self._clock.paused():
                    round_trip.check(proposal.knobs, outcome.params)
        return outcome.score

    def _note_failure(self, trial_no: int, error: TrialFailed) -> None:
        """Print a failure that is new; of the last one before the search is given up, the error tells."""
        before = [no for no, other in self._failures.items() if other.failure == error.failure]
        self._failures[trial_no] = error
        if before:
            report.note(f"  failed as trial {before[0]} did")
        else:
            report.note(f"  failed: {sentence(error.failure)}")


def _test(model_class: type[BaseModel], best: Trained, test_path: str) -> float:
    """The score on the test dataset, of an instance that is made from what was stored."""
    model = load_trained(model_class, best.proposal.knobs, best.load())
    try:
        with blaming(model_class):
            score = check_score(model_class, model.evaluate(test_path))
    finally:
        destroy(model)
    report.note(f"Score on the test dataset: {_shown(score)}")
    return score


def _all_failed(failures: Sequence[TrialFailed]) -> TrialFailed:
    """The last failure, and that there was nothing else."""
    if not failures:
        message = "No trial came to be kept before the budget was used up"
        return TrialFailed(Failure(FailureCode.BUDGET_OVER, message, "Raise TIME_HOURS or MODEL_TRIAL_COUNT."))
    last = failures[-1]
    if len(failures) == 1:
        return last
    are_alike = all(error.failure == last.failure for error in failures)
    others = f"All {len(failures)} trials failed{' so' if are_alike else ', the last so'}."
    error = TrialFailed(Failure(last.failure.code, sentence(last.failure), others))
    error.__cause__ = last.__cause__
    return error


def _shown(score: float | None) -> str:
    return "none" if score is None else f"{score:.6g}"
