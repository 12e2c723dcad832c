"""What every store promises of jobs and of the fence around their runners."""

from __future__ import annotations

import pytest

from rafiki.constants import TrainJobStatus, TrialStatus
from rafiki.entities import FailureCode
from rafiki.errors import (
    FencedError,
    InsufficientResourcesError,
    InvalidModelError,
    InvalidTrainJobError,
    RunningInferenceJobExistsError,
)
from tests.contracts.store_world import FAILURE, World


class TestTrainJobs:
    def test_a_new_one_is_started(self, world: World) -> None:
        second = world.add_model()
        job = world.add_train_job("app", train_args={"a": [1]}, model_ids=[second.id, world.model.id])
        assert (job.app_version, job.status, job.epoch, job.seed, job.active_s) == (1, "STARTED", 0, 7, 0.0)
        assert job.model_ids == [second.id, world.model.id]
        assert (job.train_args, job.error, job.datetime_stopped) == ({"a": [1]}, None, None)
        assert world.store.train_jobs.get(job.id) == job
        assert world.store.train_jobs.get("none") is None

    def test_its_limits_are_kept_where_it_has_any(self, world: World) -> None:
        limits = {"trial_time_s": 1.5, "memory_bytes": 2**33}
        job = world.add_train_job(limits=limits)
        assert (job.limits, world.store.train_jobs.get(job.id)) == (limits, job)
        assert world.add_train_job().limits is None

    def test_versions_count_per_user_and_app(self, world: World) -> None:
        jobs = world.store.train_jobs
        first = world.add_train_job("app")
        with pytest.raises(InvalidTrainJobError, match="version 1 of app 'app'"):
            world.add_train_job("app")
        assert world.add_train_job("app", user=world.add_user()).app_version == 1
        assert world.add_train_job("other").app_version == 1
        jobs.stop(first.id)
        second = world.add_train_job("app")
        assert second.app_version == 2
        assert jobs.get_version(world.user.id, "app") == second
        assert jobs.get_version(world.user.id, "app", -1) == second
        assert jobs.get_version(world.user.id, "app", 1) == jobs.get(first.id)
        for version in (0, 3, -2, 10**30):
            assert jobs.get_version(world.user.id, "app", version) is None
        assert jobs.get_version(world.user.id, "none") is None

    def test_lists_are_newest_first(self, world: World) -> None:
        jobs, other = world.store.train_jobs, world.add_user()
        first = world.add_train_job("app")
        jobs.stop(first.id)
        ids = [first.id, world.add_train_job("b").id, world.add_train_job("app").id]
        of_other = world.add_train_job("app", user=other).id
        assert [job.id for job in jobs.list_of_user(world.user.id)] == ids[::-1]
        assert [job.id for job in jobs.list_of_app(world.user.id, "app")] == [ids[2], ids[0]]
        assert [job.id for job in jobs.list_of_app(other.id, "app")] == [of_other]
        assert [job.id for job in jobs.list_live()] == [of_other, *ids[:0:-1]]
        assert jobs.list_of_app(world.user.id, "none") == []

    def test_an_unknown_model_is_refused_and_nothing_remains(self, world: World) -> None:
        with pytest.raises(InvalidModelError, match="gone"):
            world.add_train_job("app", model_ids=[world.model.id, "gone"])
        assert world.store.train_jobs.list_of_app(world.user.id, "app") == []
        assert world.add_train_job("app").app_version == 1

    def test_running_then_finished_once(self, world: World) -> None:
        jobs, job = world.store.train_jobs, world.add_train_job()
        world.store.jobs.claim(job.id)
        assert jobs.mark_running(job.id, 1)
        assert not jobs.mark_running(job.id, 1)
        jobs.add_active_s(job.id, 1, 2.5)
        jobs.add_active_s(job.id, 1, 3.5)
        assert jobs.finish(job.id, 1, TrainJobStatus.ERRORED, FAILURE)
        assert not jobs.finish(job.id, 1, TrainJobStatus.STOPPED, None)
        assert not jobs.mark_running(job.id, 1)
        assert not jobs.stop(job.id)
        found = jobs.get(job.id)
        assert found is not None and found.datetime_stopped is not None
        assert (found.status, found.error, found.active_s) == ("ERRORED", FAILURE, 3.5)
        assert jobs.list_live() == []

    def test_a_stop_settles_its_trials_and_fences_its_runner(self, world: World) -> None:
        store, job, other = world.store, world.add_running_job(), world.add_running_job()
        running, of_other = world.add_trial(job), world.add_trial(other)
        completed = world.add_trial(job, no=2)
        store.trials.finish(completed.id, 1, 0.5, None)
        assert store.train_jobs.stop(job.id)
        assert not store.train_jobs.stop(job.id)
        stopped = store.train_jobs.get(job.id)
        assert stopped is not None and (stopped.status, stopped.epoch) == ("STOPPED", 2)
        settled = store.trials.get(running.id)
        assert settled is not None and settled.error is not None and settled.datetime_stopped is not None
        assert (settled.status, settled.error.code) == (TrialStatus.ERRORED, FailureCode.STOPPED_BY_USER)
        statuses = [trial.status for trial in map(store.trials.get, [completed.id, of_other.id]) if trial]
        assert statuses == [TrialStatus.COMPLETED, TrialStatus.RUNNING]
        with pytest.raises(FencedError):
            store.trials.finish(running.id, 1, 0.5, None)


class TestInferenceJobs:
    def test_a_new_one_has_an_address(self, world: World) -> None:
        train_job = world.add_train_job("app")
        job = world.deploy(train_job)
        assert (job.status, job.train_job_id, job.app, job.app_version) == ("STARTED", train_job.id, "app", 1)
        assert (job.predictor_host, job.predictor_port, job.budget) == ("127.0.0.1:30000", 30000, {"GPU_COUNT": 0})
        assert world.store.inference_jobs.get(job.id) == job
        assert world.store.inference_jobs.get("none") is None

    def test_a_port_that_anyone_holds_is_passed_over(self, world: World) -> None:
        ports = [
            world.deploy(world.add_train_job(), is_port_free=lambda port: port != 30001).predictor_port
            for _ in range(2)
        ]
        assert ports == [30000, 30002]
        with pytest.raises(InsufficientResourcesError, match="30000 to 30002"):
            world.deploy(world.add_train_job(), is_port_free=lambda port: port != 30001)

    def test_one_live_job_per_app_version(self, world: World) -> None:
        train_job, inference_jobs = world.add_train_job("app"), world.store.inference_jobs
        job = world.deploy(train_job)
        with pytest.raises(RunningInferenceJobExistsError, match="30000"):
            world.deploy(train_job)
        assert inference_jobs.stop(job.id)
        again = world.deploy(train_job)
        assert (again.predictor_port, again.id == job.id) == (30000, False)

    def test_the_port_is_free_again_once_it_has_ended(self, world: World) -> None:
        inference_jobs = world.store.inference_jobs
        for end in (
            lambda job: inference_jobs.stop(job.id),
            lambda job: inference_jobs.finish(job.id, 0, "ERRORED", FAILURE),
        ):
            job = world.deploy(world.add_train_job(), port_range=range(30000, 30001))
            assert end(job)
            ended = inference_jobs.get(job.id)
            assert ended is not None and ended.datetime_stopped is not None
            assert ended.predictor_host == "127.0.0.1:30000"
            assert not inference_jobs.stop(job.id)

    def test_get_live(self, world: World) -> None:
        inference_jobs, user_id = world.store.inference_jobs, world.user.id
        first_version = world.add_train_job("app")
        world.store.train_jobs.stop(first_version.id)
        second = world.deploy(world.add_train_job("app"))
        first = world.deploy(first_version)
        assert inference_jobs.get_live(user_id, "app", 1) == first
        assert inference_jobs.get_live(user_id, "app", 2) == second
        assert inference_jobs.get_live(user_id, "app") == first  # the latest deployed
        assert inference_jobs.list_live() == [first, second]
        world.store.jobs.claim(first.id)
        assert inference_jobs.mark_running(first.id, 1)
        running = inference_jobs.get_live(user_id, "app", 1)
        assert running is not None and running.status == "RUNNING"
        inference_jobs.stop(first.id)
        assert inference_jobs.get_live(user_id, "app", 1) is None
        assert inference_jobs.get_live(user_id, "app") == second
        for version in (0, 3, 10**30):
            assert inference_jobs.get_live(user_id, "app", version) is None
        assert inference_jobs.get_live(world.add_user().id, "app") is None

    def test_lists_are_newest_first(self, world: World) -> None:
        jobs = [world.deploy(world.add_train_job(app)) for app in ("a", "b", "c")]
        inference_jobs = world.store.inference_jobs
        assert inference_jobs.list_of_user(world.user.id) == jobs[::-1]
        assert inference_jobs.list_of_app(world.user.id, "b") == [jobs[1]]

    def test_set_port(self, world: World) -> None:
        inference_jobs = world.store.inference_jobs
        first, second = world.deploy(world.add_train_job()), world.deploy(world.add_train_job())
        assert not inference_jobs.set_port(first.id, 0, second.predictor_port, "localhost")
        assert inference_jobs.set_port(first.id, 0, 30002, "localhost")
        moved = inference_jobs.get(first.id)
        assert moved is not None and moved.predictor_host == "localhost:30002"
        assert world.deploy(world.add_train_job()).predictor_port == 30000
        with pytest.raises(FencedError):
            inference_jobs.set_port(first.id, 5, 30002, "localhost")


class TestRunners:
    def test_a_claim_raises_the_epoch(self, world: World) -> None:
        jobs, job = world.store.jobs, world.add_train_job()
        for epoch in (1, 2):
            process = jobs.claim(job.id)
            assert process is not None
            assert (process.job_id, process.kind, process.epoch, process.pid) == (job.id, "TRAIN", epoch, None)
            jobs.set_process(job.id, epoch, 4000 + epoch, 2**40)
        found = jobs.get_process(job.id)
        assert found is not None and (found.pid, found.start_time) == (4002, 2**40)
        assert jobs.live() == [found]
        with pytest.raises(FencedError, match="epoch 1"):
            jobs.set_process(job.id, 1, 1, 1)
        jobs.clear_process(job.id)
        cleared = jobs.get_process(job.id)
        assert cleared is not None and (cleared.pid, cleared.start_time) == (None, None)

    def test_what_has_ended_cannot_be_claimed(self, world: World) -> None:
        jobs, job = world.store.jobs, world.add_train_job()
        jobs.claim(job.id)
        jobs.set_process(job.id, 1, 4000, 5)
        world.store.train_jobs.stop(job.id)
        assert jobs.claim(job.id) is None
        assert jobs.claim("none") is None
        assert jobs.get_process("none") is None
        assert jobs.live() == []
        assert [process.pid for process in jobs.ended_with_process()] == [4000]

    def test_failed_starts_are_counted_in_a_row(self, world: World) -> None:
        jobs, job = world.store.jobs, world.deploy(world.add_train_job())
        assert [jobs.note_failed_start(job.id) for _ in range(3)] == [1, 2, 3]
        jobs.note_good_start(job.id)
        assert jobs.note_failed_start(job.id) == 1
        assert [(process.kind, process.n_failed_starts) for process in jobs.live()] == [("TRAIN", 0), ("INFERENCE", 1)]

    def test_every_write_of_an_old_runner_is_refused_and_changes_nothing(self, world: World) -> None:
        store, job = world.store, world.add_running_job()
        store.slots.set_inventory(2, ())
        slot = store.slots.acquire(job.id, 1, "core")
        trial = world.add_trial(job)
        inference_job = world.deploy(job)
        store.jobs.claim(inference_job.id)
        store.jobs.claim(job.id)
        before = store.train_jobs.get(job.id), store.trials.list(job.id), store.slots.list()
        for write in (
            lambda: store.jobs.check_epoch(job.id, 1),
            lambda: store.train_jobs.mark_running(job.id, 1),
            lambda: store.train_jobs.add_active_s(job.id, 1, 1.0),
            lambda: store.train_jobs.finish(job.id, 1, "STOPPED", None),
            lambda: store.inference_jobs.mark_running(inference_job.id, 0),
            lambda: store.inference_jobs.finish(inference_job.id, 0, "STOPPED", None),
            lambda: world.add_trial(job, no=2),
            lambda: store.trials.finish(trial.id, 1, 0.5, None, give_back=slot),
            lambda: store.trials.fail(trial.id, 1, FAILURE, give_back=slot),
            lambda: store.slots.acquire(job.id, 1, "core"),
        ):
            with pytest.raises(FencedError):
                write()
        assert (store.train_jobs.get(job.id), store.trials.list(job.id), store.slots.list()) == before
        store.jobs.check_epoch(job.id, 2)
