"""Bayesian optimisation whose trials go on from parameters that earlier ones trained."""

from __future__ import annotations

import math

from rafiki.advisor.base import ParamsType, Proposal, policies
from rafiki.advisor.bayes import BayesOptAdvisor
from rafiki.model import KnobConfig

SHARE_PARAMS = "SHARE_PARAMS"

#: How fast the probability of starting from nothing decays: it is exp(-4), 2 %, when the budget is used up.
_DECAY = 4.0
#: The number of trials over which it decays so where the budget says nothing of trials and no clock is there.
_N_TRIALS_ASSUMED = 50


class BayesOptWithParamSharingAdvisor(BayesOptAdvisor):
    """Each trial starts from nothing with a probability that decays exponentially from 1 over the budget, else from the
    globally best parameters so far. Policies SHARE_PARAMS and EARLY_STOP are on in every trial, and every trial's
    parameters are cached."""

    @classmethod
    def why_unfit(cls, knob_config: KnobConfig) -> str | None:
        if SHARE_PARAMS not in policies(knob_config):
            return f"it has no knob of policy {SHARE_PARAMS}"
        return super().why_unfit(knob_config)

    def _propose(self, worker_id: str, trial_no: int) -> Proposal | None:
        proposal = self._explore(trial_no, active_policies=(SHARE_PARAMS, "EARLY_STOP"))
        progress = self._progress(trial_no)
        if progress is None:
            progress = (trial_no - 1) / _N_TRIALS_ASSUMED
        is_from_nothing = self._rng(trial_no, purpose=1).random() < math.exp(-_DECAY * progress)
        proposal.params_type = ParamsType.NONE if is_from_nothing else ParamsType.GLOBAL_BEST
        proposal.to_cache_params = True
        return proposal
