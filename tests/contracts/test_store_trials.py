"""What every store promises of trials and their logs."""

from __future__ import annotations

import pytest

from rafiki.constants import TrialStatus
from rafiki.errors import (
    InvalidTrialError,
)
from rafiki.store import Store
from tests.contracts.store_world import FAILURE, HASH, PROPOSAL, World


class TestTrials:
    def test_a_started_one_is_running(self, world: World) -> None:
        job = world.add_running_job()
        parent = world.add_trial(job)
        trial = world.add_trial(job, no=2, parent_trial_id=parent.id)
        assert (trial.status, trial.no, trial.attempt, trial.score) == (TrialStatus.RUNNING, 2, 1, None)
        assert (trial.model_name, trial.proposal, trial.is_params_saved) == (world.model.name, PROPOSAL, False)
        assert world.store.trials.get(trial.id) == trial
        assert world.store.trials.get("none") is None

    def test_one_call_wins(self, world: World) -> None:
        trials, job = world.store.trials, world.add_running_job()
        first, second = world.add_trial(job), world.add_trial(job, no=2)
        assert trials.finish(first.id, 1, 0.75, HASH).won
        assert not trials.finish(first.id, 1, 0.5, None)
        assert not trials.fail(first.id, 1, FAILURE)
        assert trials.fail(second.id, 1, FAILURE)
        assert not trials.finish(second.id, 1, 0.5, None)
        done, failed = trials.get(first.id), trials.get(second.id)
        assert done is not None and done.datetime_stopped is not None and done.datetime_stopped >= done.datetime_started
        assert (done.status, done.score, done.params_hash, done.is_params_saved) == ("COMPLETED", 0.75, HASH, True)
        assert failed is not None
        assert (failed.status, failed.score, failed.error, failed.is_params_saved) == ("ERRORED", None, FAILURE, False)

    def test_an_unknown_one_is_an_error(self, store: Store) -> None:
        with pytest.raises(InvalidTrialError, match="'none'"):
            store.trials.finish("none", 1, 0.5, None)

    def test_an_attempt_happens_once(self, world: World) -> None:
        job = world.add_running_job()
        world.add_trial(job)
        world.add_trial(job, attempt=2)
        with pytest.raises(Exception, match=r"(?i)unique"):
            world.add_trial(job, attempt=2)

    def test_best_are_the_completed_scored_and_saved(self, world: World) -> None:
        trials, job = world.store.trials, world.add_running_job()
        outcomes = [
            (0.5, HASH),
            (0.9, None),
            (None, HASH),
            (float("nan"), HASH),
            (-1.0, HASH),
            (0.7, HASH),
            (0.5, HASH),
        ]
        made = [world.add_trial(job, no=no) for no in range(len(outcomes) + 2)]
        for trial, (score, params_hash) in zip(made, outcomes, strict=False):
            trials.finish(trial.id, 1, score, params_hash)
        trials.fail(made[-1].id, 1, FAILURE)
        assert [trial.no for trial in trials.best(job.id)] == [5, 0, 6, 4]
        assert [trial.no for trial in trials.best(job.id, 2)] == [5, 0]
        assert trials.best(job.id, 0) == []
        assert len(trials.best(job.id, 10**30)) == 4

    def test_lists(self, world: World) -> None:
        trials, job, second = world.store.trials, world.add_running_job(), world.add_model()
        made = [world.add_trial(job, no=no) for no in (2, 1)]
        made.append(world.add_trial(job, no=1, attempt=2))
        of_second = world.add_trial(job, model_id=second.id)
        assert trials.list(job.id) == [of_second, *made[::-1]]
        assert trials.list(job.id, limit=2, offset=1) == made[:0:-1]
        assert trials.list(job.id, limit=10**30, offset=10**30) == []
        assert trials.of_model(job.id, world.model.id) == [made[1], made[2], made[0]]
        assert trials.list("none") == []

    def test_a_dead_runners_trials_are_settled(self, world: World) -> None:
        trials, job = world.store.trials, world.add_running_job()
        done, *running = [world.add_trial(job, no=no) for no in range(3)]
        trials.finish(done.id, 1, 0.5, None)
        settled = trials.settle_running(job.id, FAILURE)
        assert [(trial.id, trial.status, trial.error) for trial in settled] == [
            (trial.id, "ERRORED", FAILURE) for trial in running
        ]
        assert trials.settle_running(job.id, FAILURE) == []

    def test_forgotten_params(self, world: World) -> None:
        trials, trial = world.store.trials, world.add_trial(world.add_running_job())
        trials.finish(trial.id, 1, 0.5, HASH)
        assert trials.forget_params(trial.id) == HASH
        found = trials.get(trial.id)
        assert found is not None and (found.status, found.params_hash, found.is_params_saved) == (
            "COMPLETED",
            None,
            False,
        )
        assert trials.forget_params(trial.id) is None

    def test_log_lines_come_back_in_order(self, world: World) -> None:
        trials, job = world.store.trials, world.add_running_job()
        first, second = world.add_trial(job), world.add_trial(job, no=2)
        lines = [f'{{"type": "MESSAGE", "message": "Zeile {i} ü"}}' for i in range(5000)]
        trials.append_log(first.id, lines[:4000])
        trials.append_log(second.id, ["other"])
        trials.append_log(first.id, [])
        trials.append_log(first.id, lines[4000:])
        assert trials.read_log_lines(first.id) == lines
        assert trials.read_log_lines(second.id) == ["other"]
        assert trials.read_log_lines("none") == []
