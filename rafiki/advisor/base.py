"""What an advisor is: proposals go out, results come back, and its state can be rebuilt from finished trials."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from rafiki.constants import Budget, BudgetOption
from rafiki.model import FixedKnob, KnobConfig, Knobs, PolicyKnob


class ParamsType(StrEnum):
    """Whose parameters a trial starts from: none, or the most recent or best ones of its worker or of all workers."""

    NONE = "NONE"
    LOCAL_RECENT = "LOCAL_RECENT"
    LOCAL_BEST = "LOCAL_BEST"
    GLOBAL_RECENT = "GLOBAL_RECENT"
    GLOBAL_BEST = "GLOBAL_BEST"


@dataclass
class Proposal:
    """A trial that an advisor asks for.

    `trial_no` counts from 1; `meta` says which method made it. What to do with the trained model is said by
    `to_eval` (score it), `to_cache_params` (keep its parameters for later trials to start from) and `to_save_params`
    (keep them for serving). `trial_id` is the platform's, once it has one.
    """

    trial_no: int
    knobs: Knobs
    params_type: ParamsType = ParamsType.NONE
    to_eval: bool = True
    to_cache_params: bool = False
    to_save_params: bool = True
    meta: dict[str, Any] = field(default_factory=dict)
    trial_id: str | None = None

    def __post_init__(self) -> None:
        self.params_type = ParamsType(self.params_type)
        self.meta = dict(self.meta or {})  # None is fine

    def to_json(self) -> dict[str, Any]:
        """The same keys, as JSON types; `params_type` by name."""
        return {
            "trial_no": self.trial_no,
            "knobs": dict(self.knobs),
            "params_type": self.params_type.name,
            "to_eval": self.to_eval,
            "to_cache_params": self.to_cache_params,
            "to_save_params": self.to_save_params,
            "meta": dict(self.meta),
            "trial_id": self.trial_id,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Proposal:
        """From `to_json`'s form; keys that have a default may be absent."""
        return Proposal(**value)


@dataclass
class TrialResult:
    """What became of a proposal. `score` is None for a trial that failed, or that was not to be scored."""

    proposal: Proposal
    score: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"proposal": self.proposal.to_json(), "score": self.score}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> TrialResult:
        return TrialResult(Proposal.from_json(value["proposal"]), value.get("score"))


class BaseAdvisor(ABC):
    """Proposes trials for one model of a train job.

    Guarantees, for every advisor:
    - `propose` gives a proposal whose knobs have one value per knob of the config, of plain Python types and within
      bounds, or None, which ends the search; None for every trial beyond the budget's `MODEL_TRIAL_COUNT`.
    - A proposal depends on the seed, its trial number, the results so far (whatever order they came in), the
      proposals outstanding, and, where a budget is time, the share of it that is used; on nothing else. So an advisor
      made anew and told the stored results with `replay` goes on as the first would have.
    - Proposals outstanding at the same time differ where the space of knobs allows it.
    - A failed trial (score None, or not a finite number) never raises; it counts as a trial.
    """

    def __init__(
        self,
        knob_config: KnobConfig,
        budget: Budget,
        seed: int = 0,
        time_progress: Callable[[], float] | None = None,
    ) -> None:
        reason = self.why_unfit(knob_config)
        if reason is not None:
            raise ValueError(f"{type(self).__name__} does not fit this model: {reason}")
        self._knob_config = knob_config
        self._seed = seed % 2**64
        self._max_trials = int(budget.get(BudgetOption.MODEL_TRIAL_COUNT, -1))
        self._time_progress = time_progress
        self._results: dict[int, TrialResult] = {}
        self._outstanding: dict[int, Proposal] = {}

    @classmethod
    @abstractmethod
    def why_unfit(cls, knob_config: KnobConfig) -> str | None:
        """Why this advisor cannot search the knob config; None if it can."""

    @abstractmethod
    def _propose(self, worker_id: str, trial_no: int) -> Proposal | None:
        """The proposal of a trial within the budget's number of trials."""

    def propose(self, worker_id: str, trial_no: int) -> Proposal | None:
        """What to try as trial `trial_no` (from 1), or None if the search is over.

        Asking again for a number that is outstanding proposes it anew.
        """
        if 0 <= self._max_trials < trial_no:
            return None
        self._outstanding.pop(trial_no, None)
        proposal = self._propose(worker_id, trial_no)
        if proposal is not None:
            self._outstanding[trial_no] = proposal
        return proposal

    def feedback(self, worker_id: str, result: TrialResult) -> None:
        """Take a trial's result; a later one for the same trial number replaces it."""
        trial_no = result.proposal.trial_no
        score = None if result.score is None else float(result.score)
        if score is not None and not math.isfinite(score):
            score = None
        self._outstanding.pop(trial_no, None)
        self._results[trial_no] = TrialResult(result.proposal, score)

    def replay(self, results: Iterable[TrialResult], running: Iterable[Proposal] = ()) -> None:
        """Rebuild the state from stored trials: the results of those that finished, the proposals of those that run."""
        for result in results:
            self.feedback("", result)
        self._outstanding.update({proposal.trial_no: proposal for proposal in running})

    @property
    def _finished(self) -> list[TrialResult]:
        """All results by trial number: the one order that does not depend on which worker was faster."""
        return [self._results[no] for no in sorted(self._results)]

    @property
    def _running(self) -> list[Proposal]:
        return [self._outstanding[no] for no in sorted(self._outstanding)]

    def _rng(self, trial_no: int, purpose: int = 0) -> np.random.Generator:
        """The randomness of one proposal; independent for each `purpose`."""
        return np.random.default_rng([self._seed, trial_no, purpose])

    def _progress(self, trial_no: int) -> float | None:
        """The share of the budget used before this trial, by trials or time, whichever is more; None if unbounded."""
        shares = []
        if self._max_trials > 0:
            shares.append((trial_no - 1) / self._max_trials)
        if self._time_progress is not None:
            shares.append(self._time_progress())
        return min(max(shares), 1.0) if shares else None

    def _complete(self, knobs: Knobs, active_policies: Iterable[str] = ()) -> Knobs:
        """The tuned ones of `knobs`, with the fixed ones and the policies, in the knob config's order."""
        active = set(active_policies)
        rest: Knobs = {}
        for name, knob in self._knob_config.items():
            if isinstance(knob, FixedKnob):
                rest[name] = knob.value.value
            elif isinstance(knob, PolicyKnob):
                rest[name] = knob.policy in active
        return {name: rest[name] if name in rest else knobs[name] for name in self._knob_config}


def policies(knob_config: KnobConfig) -> frozenset[str]:
    """The policies that a template offers."""
    return frozenset(knob.policy for knob in knob_config.values() if isinstance(knob, PolicyKnob))
