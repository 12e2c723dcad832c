"""What every store promises of slots: leased once, shared evenly, never lost."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from rafiki.entities import Slot, TrainJob
from rafiki.errors import FencedError
from rafiki.store import Store
from tests.contracts.store_world import FAILURE, World


def take_all(store: Store, job: TrainJob) -> list[Slot]:
    """What a greedy runner gets; from then on its job waits."""
    taken = []
    while (slot := store.slots.acquire(job.id, 1, "core")) is not None:
        taken.append(slot)
    return taken


def n_held(store: Store, job: TrainJob) -> int:
    return sum(slot.job_id == job.id for slot in store.slots.list())


class TestLeases:
    def test_a_slot_is_leased_once_and_given_back_once(self, world: World) -> None:
        slots, job, other = world.store.slots, world.add_running_job(), world.add_running_job()
        slots.set_inventory(1, [0])
        slot = slots.acquire(job.id, 1, "core")
        assert slot == Slot("core", 0, job.id, 1)
        assert slots.acquire(other.id, 1, "core") is None
        assert slots.acquire(other.id, 1, "gpu") == Slot("gpu", 0, other.id, 1)
        assert slots.release(slot, 1)
        assert not slots.release(slot, 1)
        assert slots.acquire(other.id, 1, "core") == Slot("core", 0, other.id, 1)
        assert not slots.release(slot, 1)

    def test_inventory_keeps_leases(self, world: World) -> None:
        slots, job = world.store.slots, world.add_running_job()
        slots.set_inventory(3, ())
        leased = take_all(world.store, job)
        slots.stop_waiting(job.id)
        slots.release(leased[0], 1)
        slots.set_inventory(1, [0, 1])
        assert [(slot.kind, slot.index, slot.job_id) for slot in slots.list()] == [
            ("core", 0, None),
            ("core", 1, job.id),
            ("core", 2, job.id),
            ("gpu", 0, None),
            ("gpu", 1, None),
        ]
        assert not slots.keep_or_release(leased[2], 1)  # it is no longer offered
        assert slots.acquire(job.id, 1, "core") == leased[0]
        assert slots.acquire(job.id, 1, "core") is None
        slots.release(leased[1], 1)
        slots.set_inventory(2, ())
        assert [(slot.kind, slot.index, slot.job_id) for slot in slots.list()] == [
            ("core", 0, job.id),
            ("core", 1, None),
        ]

    def test_gpus_are_leased_by_the_indices_that_they_have(self, world: World) -> None:
        slots, job = world.store.slots, world.add_running_job()
        slots.set_inventory(1, [3, 1])
        assert slots.acquire(job.id, 1, "gpu") == Slot("gpu", 1, job.id, 1)
        assert slots.acquire(job.id, 1, "gpu") == Slot("gpu", 3, job.id, 1)
        assert slots.acquire(job.id, 1, "gpu") is None
        slots.set_inventory(1, [0, 3])
        assert [(slot.index, slot.job_id) for slot in slots.list() if slot.kind == "gpu"] == [
            (0, None),
            (1, job.id),
            (3, job.id),
        ]
        assert not slots.keep_or_release(Slot("gpu", 1, job.id, 1), 1)  # it is no longer offered
        assert slots.keep_or_release(Slot("gpu", 3, job.id, 1), 1)
        slots.release_all(job.id)
        slots.set_inventory(1, ())
        assert [slot.kind for slot in slots.list()] == ["core"]

    def test_whether_a_slot_may_be_kept_can_be_asked_before_it_is_given_back(self, world: World) -> None:
        slots, job, other = world.store.slots, world.add_running_job(), world.add_running_job()
        slots.set_inventory(1, [2])
        slot = slots.acquire(job.id, 1, "gpu")
        assert slot is not None
        assert slots.may_keep(slot, 1)
        assert slots.acquire(other.id, 1, "gpu") is None
        assert not slots.may_keep(slot, 1)
        assert slots.list()[-1] == slot  # it is still leased
        assert slots.release(slot, 1)
        assert not slots.may_keep(slot, 1)
        assert slots.acquire(other.id, 1, "gpu") == Slot("gpu", 2, other.id, 1)

    def test_without_any_slot_a_job_waits(self, world: World) -> None:
        job = world.add_running_job()
        assert world.store.slots.acquire(job.id, 1, "gpu") is None
        assert world.store.slots.waiting("gpu") == [job.id]
        assert world.store.slots.waiting("core") == []

    def test_a_dead_runners_leases_and_waits_are_freed(self, world: World) -> None:
        store, dead, other = world.store, world.add_running_job(), world.add_running_job()
        store.slots.set_inventory(2, ())
        assert len(take_all(store, dead)) == 2
        assert store.slots.acquire(other.id, 1, "core") is None
        assert store.slots.waiting("core") == [other.id, dead.id]
        assert store.slots.release_all(dead.id) == 2
        assert store.slots.waiting("core") == [other.id]
        assert len(take_all(store, other)) == 2

    def test_a_job_that_ended_does_not_stand_in_the_queue(self, world: World) -> None:
        store, job, other = world.store, world.add_running_job(), world.add_running_job()
        store.slots.set_inventory(1, ())
        [slot] = take_all(store, other)
        assert store.slots.acquire(job.id, 1, "core") is None
        store.train_jobs.stop(job.id)
        assert store.slots.waiting("core") == [other.id]
        assert store.slots.keep_or_release(slot, 1)

    def test_a_lease_of_an_earlier_epoch_cannot_be_kept(self, world: World) -> None:
        store, job = world.store, world.add_running_job()
        store.slots.set_inventory(1, ())
        slot = store.slots.acquire(job.id, 1, "core")
        assert slot is not None
        store.jobs.claim(job.id)
        store.slots.release_all(job.id)
        again = store.slots.acquire(job.id, 2, "core")
        assert again == Slot("core", 0, job.id, 2)
        assert not store.slots.keep_or_release(slot, 1)
        assert not store.slots.release(slot, 1)
        assert store.slots.list() == [again]
        with pytest.raises(FencedError):
            store.slots.acquire(job.id, 1, "core")

    def test_a_free_slot_that_was_never_leased_cannot_be_kept(self, store: Store) -> None:
        with pytest.raises(ValueError, match="acquire"):
            store.slots.keep_or_release(Slot("core", 0), 1)


class TestTurns:
    def test_who_waits_longest_is_next(self, world: World) -> None:
        store = world.store
        first, second, third = (world.add_running_job() for _ in range(3))
        store.slots.set_inventory(1, ())
        [slot] = take_all(store, first)
        store.slots.stop_waiting(first.id)
        for job in (second, third, second):
            assert store.slots.acquire(job.id, 1, "core") is None
        assert store.slots.waiting("core") == [second.id, third.id]
        assert not store.slots.keep_or_release(slot, 1)
        assert store.slots.acquire(third.id, 1, "core") is None
        assert store.slots.acquire(first.id, 1, "core") is None
        assert store.slots.acquire(second.id, 1, "core") is not None

    def test_by_user_before_by_job(self, world: World) -> None:
        store, other = world.store, world.add_user()
        jobs = [world.add_running_job() for _ in range(3)]
        of_other = world.add_running_job(user=other)
        store.slots.set_inventory(2, ())
        slots = take_all(store, jobs[0])
        store.slots.stop_waiting(jobs[0].id)
        for job in (*jobs[1:], of_other):
            assert store.slots.acquire(job.id, 1, "core") is None
        assert store.slots.waiting("core") == [of_other.id, jobs[1].id, jobs[2].id]
        store.slots.release(slots[0], 1)
        assert store.slots.acquire(jobs[1].id, 1, "core") is None
        assert store.slots.acquire(of_other.id, 1, "core") is not None

    def test_those_who_wait_do_not_hold_up_slots_that_they_would_not_get(self, world: World) -> None:
        store = world.store
        waiting, job = world.add_running_job(), world.add_running_job()
        assert store.slots.acquire(waiting.id, 1, "core") is None
        store.slots.set_inventory(2, ())
        assert store.slots.acquire(job.id, 1, "core") is not None  # one for each
        assert store.slots.acquire(job.id, 1, "core") is None
        assert store.slots.acquire(waiting.id, 1, "core") is not None

    def test_nobody_waits_so_it_is_kept(self, world: World) -> None:
        store, job = world.store, world.add_running_job()
        store.slots.set_inventory(1, ())
        [slot] = take_all(store, job)
        assert store.slots.waiting("core") == [job.id]  # itself, for more
        assert store.slots.keep_or_release(slot, 1)

    def test_a_trials_end_settles_its_slot_too(self, world: World) -> None:
        store, job, other = world.store, world.add_running_job(), world.add_running_job()
        store.slots.set_inventory(1, ())
        [slot] = take_all(store, job)
        outcome = store.trials.finish(world.add_trial(job).id, 1, 0.5, None, give_back=slot)
        assert (outcome.won, outcome.keeps_slot) == (True, True)
        assert store.slots.acquire(other.id, 1, "core") is None
        outcome = store.trials.fail(world.add_trial(job, no=2).id, 1, FAILURE, give_back=slot)
        assert (outcome.won, outcome.keeps_slot) == (True, False)
        assert store.slots.list() == [Slot("core", 0)]
        outcome = store.trials.finish(world.add_trial(job, no=3).id, 1, 0.5, None)
        assert (outcome.won, outcome.keeps_slot) == (True, False)


class TestFairness:
    """Runners that always want more, whose trials end in any order."""

    def _run(
        self, world: World, jobs: list[TrainJob], n_cores: int, n_trials: int
    ) -> tuple[Counter[str], Counter[str]]:
        """How many trials each job got to run, and how many slots it held, summed over the ends of trials."""
        store, chance = world.store, random.Random(5)
        store.slots.set_inventory(n_cores, ())
        running = [slot for job in jobs for slot in take_all(store, job)]
        n_run, held = Counter[str](), Counter[str]()
        for _ in range(n_trials):
            slot = running.pop(chance.randrange(len(running)))
            assert slot.job_id is not None
            n_run[slot.job_id] += 1
            if store.slots.keep_or_release(slot, 1):
                running.append(slot)
            for job in chance.sample(jobs, len(jobs)):
                running += take_all(store, job)
            assert len(running) == n_cores == len({slot.index for slot in running})
            held.update(str(slot.job_id) for slot in running)
        return n_run, held

    def test_users_share_evenly_whatever_number_of_jobs_they_have(self, world: World) -> None:
        of_first = [world.add_running_job() for _ in range(3)]
        of_second = [world.add_running_job(user=world.add_user())]
        n_run, held = self._run(world, of_first + of_second, n_cores=4, n_trials=120)
        assert 0.9 < sum(held[job.id] for job in of_first) / sum(held[job.id] for job in of_second) < 1.1
        assert min(n_run[job.id] for job in of_first) > 10

    def test_jobs_of_a_user_share_evenly(self, world: World) -> None:
        jobs = [world.add_running_job() for _ in range(3)]
        _, held = self._run(world, jobs, n_cores=6, n_trials=60)
        assert [n_held(world.store, job) for job in jobs] == [2, 2, 2]
        assert max(held.values()) / min(held.values()) < 1.3

    def test_nobody_starves_on_one_core(self, world: World) -> None:
        jobs = [world.add_running_job(), world.add_running_job(), world.add_running_job(user=world.add_user())]
        n_run, _ = self._run(world, jobs, n_cores=1, n_trials=60)
        assert all(n_run[job.id] >= 15 for job in jobs)
