"""The search of one model of a train job: what its next trial is, and what its finished ones mean.

Holds no connection and no process. It is rebuilt from the stored trials, so that a runner can die at any moment.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rafiki.advisor import BaseAdvisor, ParamsType, Proposal, TrialResult
from rafiki.constants import TrialStatus
from rafiki.entities import Failure, FailureCode, Model, Trial

#: Attempts at one trial: those that the platform interrupted are repeated, and a killed worker's once.
MAX_ATTEMPTS = 5
MAX_ATTEMPTS_KILLED = 2


@dataclass(frozen=True)
class Attempt:
    proposal: Proposal
    attempt: int


@dataclass(frozen=True)
class SharedParams:
    """Cached parameters that later trials of the model may start from."""

    trial_id: str
    worker_id: str
    score: float | None
    params_hash: str


class ModelTuning:
    """A model whose first `max_failures` trials all failed is given up; `failure` says why."""

    def __init__(self, model: Model, advisor: BaseAdvisor, max_failures: int, n_gpus: int = 0) -> None:
        self.model = model
        self.n_gpus = n_gpus
        self.n_running = 0
        self.n_completed = 0
        self.is_exhausted = False
        self._advisor = advisor
        self._max_failures = max_failures
        self._n_failed = 0
        self._last_failure: Failure | None = None
        self._last_no = 0
        self._repeats: deque[tuple[Attempt, Failure | None]] = deque()  # with what ended the attempt before
        self._durations_s: list[float] = []
        self._shared: list[SharedParams] = []
        self._forgotten: set[str] = set()  # ids of trials whose parameters are no longer saved

    def replay(self, trials: Iterable[Trial]) -> None:
        """Take in the stored trials of this model, in order of number and attempt; none may be running."""
        results = []
        for no, attempts in groupby(trials, key=lambda trial: trial.no):
            last = list(attempts)[-1]
            self._last_no = max(self._last_no, no)
            proposal = Proposal.from_json(last.proposal)
            if last.status == TrialStatus.COMPLETED:
                self._note_completed(last, proposal, last.score, last.params_hash)
                results.append(TrialResult(proposal, last.score))
            elif self._is_repeatable(last.error, last.attempt):
                self._repeats.append((Attempt(proposal, last.attempt + 1), last.error))
            else:
                self._note_failed(last.error)
                results.append(TrialResult(proposal))
        self._advisor.replay(results, running=[attempt.proposal for attempt, _ in self._repeats])

    # What to do next --------------------------------------------------------------------------------------------------

    @property
    def is_searching(self) -> bool:
        is_given_up = self.n_completed == 0 and self._n_failed >= self._max_failures
        return bool(self._repeats or not self.is_exhausted) and not is_given_up

    @property
    def has_ended(self) -> bool:
        return not self.is_searching and self.n_running == 0

    @property
    def n_started(self) -> int:
        return self._last_no

    def typical_duration_s(self) -> float | None:
        """Median duration of this model's completed trials in this runner; `None` before the first."""
        return statistics.median(self._durations_s) if self._durations_s else None

    def next_attempt(self, worker_id: str) -> Attempt | None:
        """The next trial to run, counted as running; `None` when the search has none any more."""
        if self._repeats:
            attempt, _ = self._repeats.popleft()
        else:
            if self.is_exhausted:
                return None
            proposal = self._advisor.propose(worker_id, self._last_no + 1)
            if proposal is None:
                self.is_exhausted = True
                return None
            self._last_no += 1
            attempt = Attempt(proposal, 1)
        self.n_running += 1
        return attempt

    def end_search(self) -> None:
        """No further trial starts: the budget is over. Trials that were to be repeated have failed for good."""
        self.is_exhausted = True
        while self._repeats:
            self._note_failed(self._repeats.popleft()[1])

    def shared_params(self, params_type: ParamsType, worker_id: str) -> SharedParams | None:
        """The cached parameters that a proposal asks for; `None` while there are none."""
        if params_type == ParamsType.NONE:
            return None
        shared = self._shared
        if params_type in (ParamsType.LOCAL_RECENT, ParamsType.LOCAL_BEST):
            shared = [params for params in shared if params.worker_id == worker_id]
        if params_type in (ParamsType.LOCAL_BEST, ParamsType.GLOBAL_BEST):
            scored = [params for params in shared if params.score is not None]
            return max(scored, key=lambda params: params.score or 0.0, default=None)
        return shared[-1] if shared else None

    def sharable_trial_ids(self) -> set[str]:
        """The trials whose cached parameters a proposal may ask for next, from whichever worker."""
        found: set[str] = set()
        for shared in (self._shared, *self._shared_by_worker().values()):
            scored = [params for params in shared if params.score is not None]
            best = max(scored, key=lambda params: params.score or 0.0, default=None)
            found.update(params.trial_id for params in (*shared[-1:], best) if params is not None)
        return found

    def _shared_by_worker(self) -> dict[str, list[SharedParams]]:
        by_worker: dict[str, list[SharedParams]] = {}
        for params in self._shared:
            by_worker.setdefault(params.worker_id, []).append(params)
        return by_worker

    def forget_params(self, trial_ids: Iterable[str]) -> None:
        """The parameters of these trials are no longer saved."""
        self._forgotten.update(trial_ids)
        self._shared = [params for params in self._shared if params.trial_id not in self._forgotten]

    # What became of it ------------------------------------------------------------------------------------------------

    def completed(
        self, trial: Trial, proposal: Proposal, score: float | None, params_hash: str | None, duration_s: float
    ) -> None:
        self.n_running -= 1
        self._durations_s.append(duration_s)
        self._note_completed(trial, proposal, score, params_hash)
        self._advisor.feedback(trial.worker_id, TrialResult(proposal, score))

    def failed(self, trial: Trial, proposal: Proposal, failure: Failure) -> None:
        self.n_running -= 1
        if failure.code == FailureCode.BUDGET_OVER:
            return
        if self._is_repeatable(failure, trial.attempt):
            self._repeats.append((Attempt(proposal, trial.attempt + 1), failure))
            return
        self._note_failed(failure)
        self._advisor.feedback(trial.worker_id, TrialResult(proposal))

    @staticmethod
    def _is_repeatable(failure: Failure | None, attempt: int) -> bool:
        code = failure.code if failure else None
        if code == FailureCode.INTERRUPTED:
            return attempt < MAX_ATTEMPTS
        return code == FailureCode.KILLED and attempt < MAX_ATTEMPTS_KILLED

    def _note_completed(self, trial: Trial, proposal: Proposal, score: float | None, params_hash: str | None) -> None:
        self.n_completed += 1
        # (One that ended while worse ones were forgotten may be among these.)
        if params_hash is not None and proposal.to_cache_params and trial.id not in self._forgotten:
            self._shared.append(SharedParams(trial.id, trial.worker_id, score, params_hash))

    def _note_failed(self, failure: Failure | None) -> None:
        self._n_failed += 1
        self._last_failure = failure

    @property
    def failure(self) -> Failure | None:
        """Why this model has nothing to show, once its trials have ended: every one of them failed."""
        if self.n_completed or not self._n_failed:
            return None
        last = self._last_failure
        return Failure(
            FailureCode.TOO_MANY_FAILURES,
            f"Every trial of model {self.model.name!r} failed ({self._n_failed} in a row)"
            + (f", the last with {last.code}: {last.message}" if last else "."),
            last.hint if last else "",
        )
