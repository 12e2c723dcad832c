"""The tuning half: the platform's advisor, trials and parameter files, one trial after the other."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rafiki.advisor import BaseAdvisor, Proposal, TrialResult, make_advisor
from rafiki.constants import Budget, BudgetOption
from rafiki.dev import report
from rafiki.dev.arguments import fix_knobs, read_budget
from rafiki.dev.devices import visible_gpus
from rafiki.dev.kept_params import KeptParams, Trained
from rafiki.dev.template import blaming, load_trained, teardown
from rafiki.entities import Failure, FailureCode
from rafiki.model import BaseModel, Knobs, Params
from rafiki.worker.failures import TrialFailed
from rafiki.worker.trial import check_score, destroy, run_trial

#: So many failed trials before the first that succeeds end the search, as on the platform.
MAX_FIRST_FAILURES = 3

_WORKER = "local"
_SECONDS_PER_HOUR = 3600.0


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
    over the default of 0.01 h; `--<knob>=value` fixes a knob. A failing trial does not end the search; `TrialFailed`,
    with the template's line, is raised if none succeeds. ValueError for a budget or knob value that cannot be.
    """
    arguments = sys.argv[1:]
    full_budget = read_budget(budget, arguments)
    with blaming(py_model_class):
        knob_config = py_model_class.get_knob_config()
    clock = _Clock(full_budget[BudgetOption.TIME_HOURS] * _SECONDS_PER_HOUR)
    advisor = make_advisor(fix_knobs(knob_config, arguments), full_budget, time_progress=clock.progress)
    report.section(f"Tuning {py_model_class.__name__} with {type(advisor).__name__}")
    report.note("Budget: " + ", ".join(f"{key}={value}" for key, value in full_budget.items()))
    data = _Data(str(train_dataset_path), str(val_dataset_path), dict(train_args or {}))
    with tempfile.TemporaryDirectory(prefix="rafiki-") as folder, visible_gpus(full_budget[BudgetOption.GPU_COUNT]):
        kept = KeptParams(Path(folder))
        try:
            best = _search(py_model_class, advisor, clock, data, kept)
            test_score = None
            if test_dataset_path is not None:
                test_score = _test(py_model_class, best.proposal.knobs, best.load(), str(test_dataset_path))
        finally:
            teardown(py_model_class)
        return best.proposal, test_score, best.load()


@dataclass(frozen=True)
class _Data:
    train_path: str
    val_path: str
    train_args: dict[str, Any]


class _Clock:
    """The time that a search may take, from now on."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._started = time.monotonic()
        self._durations_s: list[float] = []

    def progress(self) -> float:
        return min((time.monotonic() - self._started) / self._limit_s, 1.0) if self._limit_s > 0 else 1.0

    def note_duration(self, duration_s: float) -> None:
        self._durations_s.append(duration_s)

    def has_time_for_trial(self) -> bool:
        """Whether a trial that takes as long as the past ones would end in time."""
        typical_s = statistics.median(self._durations_s) if self._durations_s else 0.0
        return time.monotonic() - self._started + typical_s < self._limit_s


def _search(
    model_class: type[BaseModel], advisor: BaseAdvisor, clock: _Clock, data: _Data, kept: KeptParams
) -> Trained:
    """The best of the trials that the budget allows. The first one runs whatever the time."""
    failures: list[TrialFailed] = []
    trial_no = 1
    while trial_no == 1 or clock.has_time_for_trial():
        proposal = advisor.propose(_WORKER, trial_no)
        if proposal is None or (kept.best is None and len(failures) >= MAX_FIRST_FAILURES):
            break
        report.note(f"Trial {trial_no}: {proposal.knobs}")
        started = time.monotonic()
        score = None
        try:
            score = _run(model_class, proposal, data, kept)
        except TrialFailed as error:
            failures.append(error)
            report.note(f"  failed: {error.failure.message}")
        else:
            clock.note_duration(time.monotonic() - started)
            report.note(f"  score {score}, {time.monotonic() - started:.1f} s")
        advisor.feedback(_WORKER, TrialResult(proposal, score))
        trial_no += 1
    if kept.best is None:
        raise _all_failed(model_class, failures)
    report.note(f"Best: trial {kept.best.proposal.trial_no}, score {kept.best.score}; {len(failures)} trials failed")
    return kept.best


def _run(model_class: type[BaseModel], proposal: Proposal, data: _Data, kept: KeptParams) -> float | None:
    """The score of a trial, whose parameters are kept as its proposal says."""
    outcome = run_trial(
        model_class,
        proposal.knobs,
        data.train_path,
        data.val_path,
        kept.shared(proposal.params_type),
        data.train_args,
        proposal.to_eval,
        want_params=proposal.to_save_params or proposal.to_cache_params,
    )
    if outcome.params is not None:
        kept.keep(proposal, outcome.score, outcome.params)
    return outcome.score


def _test(model_class: type[BaseModel], knobs: Knobs, params: Params, test_path: str) -> float:
    """The score on the test dataset, of an instance that is made from what was stored."""
    model = load_trained(model_class, knobs, params)
    try:
        with blaming(model_class):
            score = check_score(model.evaluate(test_path))
    finally:
        destroy(model)
    report.note(f"Score on the test dataset: {score}")
    return score


def _all_failed(model_class: type[BaseModel], failures: list[TrialFailed]) -> TrialFailed:
    if not failures:
        return TrialFailed(Failure(FailureCode.BUDGET_OVER, "The budget allows no trial.", "Raise MODEL_TRIAL_COUNT."))
    last = failures[-1]
    message = f"Every trial of {model_class.__name__} failed ({len(failures)}), the last so: {last.failure.message}"
    error = TrialFailed(Failure(last.failure.code, message, last.failure.hint))
    error.__cause__ = last.__cause__ or last
    return error
