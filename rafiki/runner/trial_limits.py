"""What the trials of one train job may use: the limits that an admin gave the job, else the settings'."""

from __future__ import annotations

from rafiki.constants import TrainJobLimit
from rafiki.entities import Failure, FailureCode, TrainJob
from rafiki.settings import Settings


class TrialLimits:
    """Failures that are due to a limit say whose it is, and who can raise it."""

    def __init__(self, settings: Settings, job: TrainJob) -> None:
        of_job = job.limits or {}
        self._has_own_time = TrainJobLimit.TRIAL_TIME_S in of_job
        self._has_own_memory = TrainJobLimit.MEMORY_BYTES in of_job
        self.time_s = float(of_job.get(TrainJobLimit.TRIAL_TIME_S, settings.trial_time_limit_s))
        self.memory_bytes = int(of_job.get(TrainJobLimit.MEMORY_BYTES, settings.worker_memory_limit_bytes))

    @property
    def over_time(self) -> Failure:
        if not self._has_own_time:
            hint = "Train shorter, or ask for a higher limit (setting trial_time_limit_s)."
            return Failure(FailureCode.TIME_LIMIT, f"The trial took longer than {self.time_s:g} s.", hint)
        message = f"The trial took longer than the {self.time_s:g} s that the limits of its job allow."
        return Failure(FailureCode.TIME_LIMIT, message, f"Train shorter, or {_raised(TrainJobLimit.TRIAL_TIME_S)}.")

    def explained(self, failure: Failure) -> Failure:
        """How a worker died, with the limit of its job as the hint, where that is what it died of."""
        if failure.code != FailureCode.OUT_OF_MEMORY or not self._has_own_memory:
            return failure
        own = f"{self.memory_bytes / 2**20:,.0f} MB"
        hint = f"The limits of its job allow {own}: use less (smaller batches, narrower knobs), or "
        return Failure(failure.code, failure.message, f"{hint}{_raised(TrainJobLimit.MEMORY_BYTES)}.")


def _raised(limit: str) -> str:
    return f"have an admin start a job with a higher {limit}"
