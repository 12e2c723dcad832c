"""Bayesian optimisation: a Gaussian process over what was tried, and the point that promises the most next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import TYPE_CHECKING

import numpy as np

from rafiki.advisor.base import BaseAdvisor, Proposal, TrialResult, policies
from rafiki.advisor.space import Array, Space
from rafiki.constants import Budget, BudgetOption
from rafiki.model import CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, KnobConfig, Knobs, PolicyKnob

if TYPE_CHECKING:
    from rafiki.advisor.surrogate import Surrogate

EARLY_STOP = "EARLY_STOP"

#: Trials that look around before the model of the search has a say (measured: fewer or more of them end up worse).
N_FIRST = 6
#: Scored trials without which there is nothing to model.
N_SCORED_MIN = 3


class BayesOptAdvisor(BaseAdvisor):
    """Bayesian optimisation of float, integer and categorical knobs.

    With the policy EARLY_STOP, trials of the search stop early, and the last phase of the budget trains the best ones
    found again, fully, the best first: the last tenth of `MODEL_TRIAL_COUNT` (at least one trial), or the last hour of
    `TIME_HOURS` (the last quarter, if that is less than two hours), whichever comes first. A budget of one trial is one
    full training. In that phase a new point is trained fully if there is no scored one left to train again.
    """

    def __init__(
        self,
        knob_config: KnobConfig,
        budget: Budget,
        seed: int = 0,
        time_progress: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(knob_config, budget, seed, time_progress)
        self._space = Space(knob_config)
        self._time_hours = float(budget.get(BudgetOption.TIME_HOURS, 0.0))
        self._n_first = N_FIRST if self._max_trials < 0 else min(N_FIRST, max(N_SCORED_MIN, self._max_trials // 2))
        self._first_rows = _latin_hypercube(self._space, self._n_first, self._rng(0))
        self._surrogate: Surrogate | None = None

    @classmethod
    def why_unfit(cls, knob_config: KnobConfig) -> str | None:
        kinds = (FixedKnob, PolicyKnob, FloatKnob, IntegerKnob, CategoricalKnob)
        strange = [
            f"{name} ({type(knob).__name__})" for name, knob in knob_config.items() if not isinstance(knob, kinds)
        ]
        if strange:
            return f"it cannot tune {', '.join(strange)}"
        return None if Space(knob_config).n_knobs else "it has no float, integer or categorical knob to tune"

    def _propose(self, worker_id: str, trial_no: int) -> Proposal | None:
        if EARLY_STOP not in policies(self._knob_config):
            return self._explore(trial_no, active_policies=())
        if not self._is_final_phase(trial_no):
            return self._explore(trial_no, active_policies=(EARLY_STOP,))
        best = self._best_to_train_again()
        if best is None:
            return self._explore(trial_no, active_policies=())
        return Proposal(trial_no, self._complete(best), meta={"method": "final"})

    def _is_final_phase(self, trial_no: int) -> bool:
        if self._max_trials > 0 and trial_no > self._max_trials - max(1, self._max_trials // 10):
            return True
        if self._time_progress is None:
            return False
        share = 1.0 / self._time_hours if self._time_hours >= 2.0 else 0.25
        return self._time_progress() >= 1.0 - share

    def _best_to_train_again(self) -> Knobs | None:
        """The best knobs of the search that are not yet trained fully."""
        all_proposals = [result.proposal for result in self._finished] + self._running
        taken = {self._key(proposal) for proposal in all_proposals if not self._is_of_search(proposal)}
        scored = [result for result in self._results_of_search() if result.score is not None]
        for result in sorted(scored, key=lambda result: -(result.score or 0.0)):
            if self._key(result.proposal) not in taken:
                return result.proposal.knobs
        return None

    def _explore(self, trial_no: int, active_policies: Collection[str]) -> Proposal:
        """A point that has not been tried yet, as long as there are such points."""
        row, method = self._next_row(trial_no)
        knobs = self._complete(self._space.to_knobs(row), active_policies)
        return Proposal(trial_no, knobs, meta={"method": method})

    def _next_row(self, trial_no: int) -> tuple[Array, str]:
        rng = self._rng(trial_no)
        seen = {self._key(result.proposal) for result in self._finished} | {self._key(p) for p in self._running}
        results = self._results_of_search()
        if trial_no <= self._n_first:
            row = self._first_rows[trial_no - 1]
            if self._space.key(self._space.to_knobs(row)) not in seen:
                return row, "latin_hypercube"
        elif sum(result.score is not None for result in results) >= N_SCORED_MIN:
            return self._promising_row(results, seen, rng), "gp"
        return self._unseen_row(rng, seen), "random"

    def _promising_row(self, results: list[TrialResult], seen: Collection[Hashable], rng: np.random.Generator) -> Array:
        if self._surrogate is None:
            # Imported here because SciPy takes a while, which searches of a few trials can do without.
            from rafiki.advisor.surrogate import Surrogate

            self._surrogate = Surrogate(self._space)
        rows = self._space.to_rows([result.proposal.knobs for result in results])
        scores = np.array([np.nan if result.score is None else result.score for result in results])
        outstanding = self._space.to_rows([proposal.knobs for proposal in self._running])
        unseen = self._space.unseen(rng, seen)
        # Once all points are taken, go on with the most promising, though it was tried before.
        barred = seen if unseen is not None else ()
        row = self._surrogate.most_promising(
            rows,
            scores,
            outstanding,
            lambda candidate: self._space.key(self._space.to_knobs(candidate)) not in barred,
            rng,
        )
        return row if row is not None else self._unseen_row(rng, seen)

    def _unseen_row(self, rng: np.random.Generator, seen: Collection[Hashable]) -> Array:
        """A random row, and as long as there are such, one that was not tried."""
        unseen = self._space.unseen(rng, seen)
        return unseen if unseen is not None else np.asarray(self._space.sample(rng, 1)[0])

    def _results_of_search(self) -> list[TrialResult]:
        return [result for result in self._finished if self._is_of_search(result.proposal)]

    def _is_of_search(self, proposal: Proposal) -> bool:
        """With EARLY_STOP, whether the trial stops early: the scores of the others are not comparable."""
        stops = [
            bool(proposal.knobs[name])
            for name, knob in self._knob_config.items()
            if isinstance(knob, PolicyKnob) and knob.policy == EARLY_STOP
        ]
        return all(stops)

    def _key(self, proposal: Proposal) -> Hashable:
        return self._space.key(proposal.knobs)


def _latin_hypercube(space: Space, n: int, rng: np.random.Generator) -> Array:
    """`n` rows that are far from each other and fill every knob's range evenly: the best of some such designs."""
    best, best_distance = np.zeros((n, space.n_knobs)), -1.0
    for _ in range(20):
        cells = np.argsort(rng.random((n, space.n_knobs)), axis=0)
        design = (cells + rng.random(cells.shape)) / n
        differences = design[:, None, :] - design[None, :, :]
        distances = (differences**2).sum(axis=2) + 1e9 * np.eye(n)
        if float(distances.min()) > best_distance:
            best, best_distance = design, float(distances.min())
    return space.from_uniform(best)
