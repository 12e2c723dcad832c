"""Cores and GPUs as rows, leased to jobs by a fair queue.

Who is next: of the waiting jobs the one whose user holds the fewest slots of the kind, then the one that itself holds
the fewest, then the one that has waited longest. Slots are given out one at a time by that rule, so that everybody's
share is as even as the slots allow (max-min fairness), and nobody who waits is passed for ever: a lease ends with the
trial it was taken for (`keep_or_release`), and then whoever is next has it.
"""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, insert, select, update

from rafiki.entities import Slot
from rafiki.store.database import Database
from rafiki.store.jobs import check_epoch
from rafiki.store.schema import jobs, slots, waits

Kind = Literal["core", "gpu"]

_NEWCOMER = float("inf")  # has waited less than all who wait
# Built once, for they run at every trial. (Their parameters must not have a column's name: that would be set.)
_is_slot = (slots.c.kind == bindparam("of_kind"), slots.c.index == bindparam("at"))
_is_leased = (slots.c.job_id == bindparam("of_job"), slots.c.epoch == bindparam("of_epoch"))
_others_wait = exists().where(waits.c.kind == bindparam("of_kind"), waits.c.job_id != bindparam("of_job"))
_SELECT_LEASE = select(slots.c.is_offered, _others_wait.label("others_wait")).where(*_is_slot, *_is_leased)
_RELEASE = update(slots).where(*_is_slot, *_is_leased).values(job_id=None, epoch=None)


class Slots:
    """Leases are no durable facts: a machine that lost power has no trial running that could hold one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def set_inventory(self, n_cores: int, gpus: Collection[int]) -> None:
        """Say what this machine offers from now on: so many cores, and the GPUs of these indices.

        Leases stay; a leased slot that is no longer offered is not given out again.
        """
        offers: dict[Kind, list[int]] = {"core": list(range(n_cores)), "gpu": list(gpus)}
        with self._db.write(durable=False) as c:
            for kind, offered in offers.items():
                is_offered = slots.c.index.in_(offered)
                c.execute(delete(slots).where(slots.c.kind == kind, ~is_offered, slots.c.job_id.is_(None)))
                c.execute(update(slots).where(slots.c.kind == kind).values(is_offered=is_offered))
                there = set(c.execute(select(slots.c.index).where(slots.c.kind == kind)).scalars())
                missing = [{"kind": kind, "index": i, "is_offered": True} for i in offered if i not in there]
                if missing:
                    c.execute(insert(slots), missing)

    def acquire(self, job_id: str, epoch: int, kind: Kind) -> Slot | None:
        """A free slot, if it is this job's turn; else None, and the job waits in the queue until it gets one here,
        or `stop_waiting`. Raises `FencedError`.
        """
        with self._db.write(durable=False) as c:
            check_epoch(c, job_id, epoch)
            waiting = _waiting(c, kind)
            asking = next((one for one in waiting if one.job_id == job_id), None)
            is_new = asking is None
            if asking is None:
                asking = _Waiting(job_id, _user_of(c, job_id), _NEWCOMER)
                waiting.append(asking)
            free = _count_free(c, kind)
            if asking in _next_in_turn(waiting, _held(c, kind), free):
                c.execute(delete(waits).where(waits.c.job_id == job_id, waits.c.kind == kind))
                return _lease(c, job_id, epoch, kind)
            if is_new:
                c.execute(insert(waits).values(job_id=job_id, kind=kind))
            return None

    def keep_or_release(self, slot: Slot, epoch: int) -> bool:
        """At a trial's end: True if the job may go on with the slot, False if it is no longer the job's.

        It is given back as if the job had asked for it anew, behind all who wait.
        """
        with self._db.write(durable=False) as c:
            return keep_or_release(c, slot, epoch)

    def release(self, slot: Slot, epoch: int) -> bool:
        """Give it back. False: it was not leased to that job and epoch (any more)."""
        with self._db.write(durable=False) as c:
            return _release(c, slot, epoch)

    def release_all(self, job_id: str) -> int:
        """Free all that a job leased in any epoch and take it out of the queue: no runner of it is left.

        Returns how many slots that freed.
        """
        with self._db.write(durable=False) as c:
            c.execute(delete(waits).where(waits.c.job_id == job_id))
            return c.execute(update(slots).where(slots.c.job_id == job_id).values(job_id=None, epoch=None)).rowcount

    def stop_waiting(self, job_id: str, kind: Kind | None = None) -> None:
        """Take the job out of the queue (None: out of both)."""
        leave = delete(waits).where(waits.c.job_id == job_id)
        with self._db.write(durable=False) as c:
            c.execute(leave if kind is None else leave.where(waits.c.kind == kind))

    def may_keep(self, slot: Slot, epoch: int) -> bool:
        """What `keep_or_release` would say, with nothing given back: for who has to tidy up a slot before."""
        with self._db.read() as c:
            return _may_keep(c, slot, epoch)

    def waiting(self, kind: Kind) -> builtins.list[str]:
        """The waiting jobs, in the order in which they would be given slots."""
        with self._db.read() as c:
            waiting = _waiting(c, kind)
            return [one.job_id for one in _next_in_turn(waiting, _held(c, kind), len(waiting))]

    def list(self) -> builtins.list[Slot]:
        """All that are offered or leased, by kind and index."""
        query = select(*slots.c["kind", "index", "job_id", "epoch"]).order_by(slots.c.kind, slots.c.index)
        with self._db.read() as c:
            return [Slot(**row._mapping) for row in c.execute(query)]


@dataclass(frozen=True)
class _Waiting:
    job_id: str
    user_id: str
    since: float


def keep_or_release(c: Connection, slot: Slot, epoch: int) -> bool:
    """`Slots.keep_or_release` as a part of a transaction."""
    if _may_keep(c, slot, epoch):
        return True
    _release(c, slot, epoch)
    return False


def _may_keep(c: Connection, slot: Slot, epoch: int) -> bool:
    """The usual case, nobody waits, is one query."""
    if slot.job_id is None:
        raise ValueError(f"{slot} is leased to no job; expected one that `acquire` gave")
    lease = c.execute(_SELECT_LEASE, _key(slot, epoch)).first()
    return lease is not None and lease.is_offered and (not lease.others_wait or _stays_its_turn(c, slot))


def _stays_its_turn(c: Connection, slot: Slot) -> bool:
    assert slot.job_id is not None
    held = _held(c, slot.kind)
    asking = _Waiting(slot.job_id, _user_of(c, slot.job_id), _NEWCOMER)
    held.subtract([asking.job_id, asking.user_id])
    others = [one for one in _waiting(c, slot.kind) if one.job_id != slot.job_id]
    return asking in _next_in_turn([*others, asking], held, _count_free(c, slot.kind) + 1)


def _next_in_turn(waiting: list[_Waiting], held: Counter[str], n_free: int) -> list[_Waiting]:
    """Who gets the free slots, given out one at a time, each to the one who then holds the fewest."""
    held, left = held.copy(), list(waiting)
    chosen: list[_Waiting] = []
    while left and len(chosen) < n_free:
        following = min(left, key=lambda one: (held[one.user_id], held[one.job_id], one.since))
        left.remove(following)
        held.update([following.user_id, following.job_id])
        chosen.append(following)
    return chosen


def _waiting(c: Connection, kind: str) -> list[_Waiting]:
    query = select(waits.c.job_id, jobs.c.user_id, waits.c.seq).join_from(waits, jobs, jobs.c.id == waits.c.job_id)
    return [_Waiting(*row) for row in c.execute(query.where(waits.c.kind == kind).order_by(waits.c.seq))]


def _held(c: Connection, kind: str) -> Counter[str]:
    """How many slots each job and each user holds, by id."""
    query = select(slots.c.job_id, jobs.c.user_id).join_from(slots, jobs, jobs.c.id == slots.c.job_id)
    return Counter(id_ for row in c.execute(query.where(slots.c.kind == kind)) for id_ in row)


def _user_of(c: Connection, job_id: str) -> str:
    return str(c.execute(select(jobs.c.user_id).where(jobs.c.id == job_id)).scalar_one())


def _is_free(kind: str) -> tuple[ColumnElement[bool], ...]:
    return slots.c.kind == kind, slots.c.is_offered, slots.c.job_id.is_(None)


def _count_free(c: Connection, kind: str) -> int:
    return int(c.execute(select(func.count()).select_from(slots).where(*_is_free(kind))).scalar_one())


def _lease(c: Connection, job_id: str, epoch: int, kind: str) -> Slot:
    index = c.execute(select(func.min(slots.c.index)).where(*_is_free(kind))).scalar_one()
    lease = update(slots).where(slots.c.kind == kind, slots.c.index == index)
    c.execute(lease.values(job_id=job_id, epoch=epoch))
    return Slot(kind, index, job_id, epoch)


def _release(c: Connection, slot: Slot, epoch: int) -> bool:
    return c.execute(_RELEASE, _key(slot, epoch)).rowcount == 1


def _key(slot: Slot, epoch: int) -> dict[str, object]:
    return {"of_kind": slot.kind, "at": slot.index, "of_job": slot.job_id, "of_epoch": epoch}
