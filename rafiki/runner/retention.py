"""Which trials' parameters a train job keeps: those of each model's best trials, and of its latest."""

from __future__ import annotations

import time
from collections.abc import Callable

from rafiki.runner.context import RunnerContext
from rafiki.runner.model_tuning import ModelTuning

#: How often the bytes of forgotten parameters are deleted.
DELETE_INTERVAL_S = 10.0


class ParamsRetention:
    """Applied at a trial's end: then at most one more has saved parameters than before."""

    def __init__(self, context: RunnerContext, now: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._n_best = context.settings.keep_params_of_best
        self._now = now
        self._unused: set[str] = set()  # hashes of what was forgotten
        self._next_delete = now() + DELETE_INTERVAL_S

    async def apply(self, tuning: ModelTuning) -> None:
        """Forget the parameters of the model's worse trials, but for those that others may start from."""
        # What was forgotten before is on the disk by now, with the trial that has just been recorded.
        await self._delete_unused()
        if tuning.n_completed <= self._n_best:
            return
        context = self._context
        forget = context.store.trials.forget_worse_params
        needed = tuning.sharable_trial_ids()
        forgotten = await context.db(forget, context.job_id, context.epoch, tuning.model.id, self._n_best, needed)
        tuning.forget_params(forgotten)
        self._unused.update(forgotten.values())

    async def _delete_unused(self) -> None:
        if not self._unused or self._now() < self._next_delete:
            return
        self._next_delete = self._now() + DELETE_INTERVAL_S
        # Those that were put a moment ago stay until the next time, the last ones until the server sweeps.
        self._unused -= await self._context.db(self._context.store.delete_unused_blobs, self._unused)
