"""The cores and GPUs that a train runner holds for its trials."""

from __future__ import annotations

from rafiki.entities import Slot
from rafiki.runner.context import RunnerContext
from rafiki.store.slots import Kind

SLOTS_CHANGED = {"type": "changed", "what": "slots"}


class SlotLeases:
    """Slots are taken before a worker starts a trial and given back at its end, unless the next trial follows at
    once and nobody else has a better claim. `is_waiting` tells that the store holds us in its queue."""

    def __init__(self, context: RunnerContext) -> None:
        self._context = context
        self._slots = context.store.slots
        self._unused: list[Slot] = []
        self.is_waiting = False

    async def take(self, kind: Kind) -> Slot | None:
        """A slot of this kind, or `None` after queueing for one."""
        for slot in self._unused:
            if slot.kind == kind:
                self._unused.remove(slot)
                return slot
        job_id, epoch = self._context.job_id, self._context.epoch
        acquired = await self._context.db(self._slots.acquire, job_id, epoch, kind)
        self.is_waiting = acquired is None
        return acquired

    def keep(self, slot: Slot) -> None:
        self._unused.append(slot)

    async def give_back_unused(self, keep_waiting: bool) -> None:
        unused, self._unused = self._unused, []
        for slot in unused:
            await self._context.db(self._slots.release, slot, self._context.epoch)
        if unused:
            self._context.notify(SLOTS_CHANGED)
        if self.is_waiting and not keep_waiting:
            await self._context.db(self._slots.stop_waiting, self._context.job_id)
            self.is_waiting = False
            self._context.notify(SLOTS_CHANGED)
