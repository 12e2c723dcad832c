"""For templates with nothing to tune."""

from __future__ import annotations

from rafiki.advisor.base import BaseAdvisor, Proposal
from rafiki.model import FixedKnob, KnobConfig, PolicyKnob


class FixedAdvisor(BaseAdvisor):
    """One single trial, policies off."""

    @classmethod
    def why_unfit(cls, knob_config: KnobConfig) -> str | None:
        tunable = [name for name, knob in knob_config.items() if not isinstance(knob, (FixedKnob, PolicyKnob))]
        return f"it tunes nothing, but these knobs are not fixed: {', '.join(tunable)}" if tunable else None

    def _propose(self, worker_id: str, trial_no: int) -> Proposal | None:
        return Proposal(trial_no, self._complete({}), meta={"method": "fixed"}) if trial_no <= 1 else None
