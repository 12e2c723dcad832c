"""Independent random trials, for any knob config."""

from __future__ import annotations

from rafiki.advisor.base import BaseAdvisor, Proposal
from rafiki.advisor.space import Space
from rafiki.model import ArchKnob, KnobConfig


class RandomAdvisor(BaseAdvisor):
    """Uniform over every knob (over the logarithm of exponential ones), policies off. Ends with the budget only."""

    @classmethod
    def why_unfit(cls, knob_config: KnobConfig) -> str | None:
        return None

    def _propose(self, worker_id: str, trial_no: int) -> Proposal | None:
        rng = self._rng(trial_no)
        space = Space(self._knob_config)
        knobs = space.to_knobs(space.sample(rng, 1)[0])
        for name, knob in self._knob_config.items():
            if isinstance(knob, ArchKnob):
                knobs[name] = [candidates[int(rng.integers(len(candidates)))].value for candidates in knob.items]
        return Proposal(trial_no, self._complete(knobs), meta={"method": "random"})
