"""The cores and GPUs that a train runner holds for its trials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from rafiki.entities import Slot
from rafiki.runner.context import RunnerContext
from rafiki.store.slots import Kind

SLOTS_CHANGED = {"type": "changed", "what": "slots"}


class SlotLeases:
    """Slots are taken before a worker starts a trial and given back at its end, unless the next trial follows at
    once and nobody else has a better claim. `is_waiting` tells that the store holds us in its queue.

    `vacate_gpu` is set by who has workers: it returns when none is on that GPU any more, whose memory is then free for
    the next who leases it.
    """

    def __init__(self, context: RunnerContext) -> None:
        self._context = context
        self._slots = context.store.slots
        self._unused: list[Slot] = []
        self._awaited: set[Kind] = set()
        self.vacate_gpu: Callable[[int], Awaitable[None]] | None = None

    @property
    def is_waiting(self) -> bool:
        return bool(self._awaited)

    async def take(self, kind: Kind) -> Slot | None:
        """A slot of this kind, or `None` after queueing for one."""
        for slot in self._unused:
            if slot.kind == kind:
                self._unused.remove(slot)
                return slot
        job_id, epoch = self._context.job_id, self._context.epoch
        acquired = await self._context.db(self._slots.acquire, job_id, epoch, kind)
        if acquired is None:
            self._awaited.add(kind)
        else:
            self._awaited.discard(kind)
        return acquired

    def keep(self, slot: Slot) -> None:
        self._unused.append(slot)

    async def settle(self, slot: Slot, is_kept: bool) -> None:
        """At a trial's end. `is_kept` is what the store has said of a core; a GPU is given back here, for its worker
        must have left it before.
        """
        if slot.kind == "gpu":
            is_kept = await self._context.db(self._slots.may_keep, slot, self._context.epoch)
            if not is_kept:
                await self._give_back(slot)
        if is_kept:
            self.keep(slot)
        else:
            self._context.notify(SLOTS_CHANGED)

    async def give_back_unused(self, wanted: Collection[Kind]) -> None:
        """Give back what no trial has taken, and wait only for what is still wanted."""
        unused, self._unused = self._unused, []
        unwanted = self._awaited.difference(wanted)
        for slot in unused:
            await self._give_back(slot)
        for kind in unwanted:
            await self._context.db(self._slots.stop_waiting, self._context.job_id, kind)
        self._awaited -= unwanted
        if unused or unwanted:
            self._context.notify(SLOTS_CHANGED)

    async def _give_back(self, slot: Slot) -> None:
        if slot.kind == "gpu" and self.vacate_gpu is not None:
            await self.vacate_gpu(slot.index)
        await self._context.db(self._slots.release, slot, self._context.epoch)
