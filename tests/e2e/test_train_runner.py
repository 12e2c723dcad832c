"""Train jobs from their rows to their end, with real runners and workers."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rafiki import control
from rafiki.model import LoggerUtils
from tests.platform_parts import Parts, make_settings, running_parts


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with running_parts(make_settings(tmp_path)) as running:
        yield running


async def test_a_job_runs_its_trials_and_stops(parts: Parts) -> None:
    models = [parts.add_model(), parts.add_model()]
    job = await parts.end_of(parts.add_train_job(models, {"MODEL_TRIAL_COUNT": 3, "TIME_HOURS": 0.1}))
    trials = parts.store.trials.list(job.id)
    assert (job.status, job.error) == ("STOPPED", None)
    assert sorted((trial.model_id, trial.no, trial.status) for trial in trials) == sorted(
        (model.id, no, "COMPLETED") for model in models for no in (1, 2, 3)
    )
    for trial in trials:
        assert trial.score == pytest.approx(1 - (trial.proposal["knobs"]["x"] - 0.3) ** 2)
        assert trial.is_params_saved
        assert trial.datetime_stopped is not None and trial.datetime_stopped >= trial.datetime_started
    assert job.active_s > 0


async def test_workers_are_kept_between_trials(parts: Parts) -> None:
    budget = {"MODEL_TRIAL_COUNT": 6, "TIME_HOURS": 0.1, "WORKER_COUNT": 1}
    job = await parts.end_of(parts.add_train_job([parts.add_model()], budget))
    assert len({trial.worker_id for trial in parts.store.trials.list(job.id)}) == 1


async def test_what_a_trial_prints_and_logs_is_kept(parts: Parts) -> None:
    job = await parts.end_of(parts.add_train_job([parts.add_model()], {"MODEL_TRIAL_COUNT": 2, "TIME_HOURS": 0.1}))
    for trial in parts.store.trials.list(job.id):
        entries, metrics, plots = LoggerUtils.parse_logs(parts.store.trials.read_log_lines(trial.id))
        messages = [entry["message"] for entry in entries]
        assert f"printed with x = {trial.proposal['knobs']['x']:.3f}" in messages
        assert any("a standard record" in message for message in messages)
        assert metrics[0]["loss"] == 0.5
        assert plots[0]["metrics"] == ["loss"]


async def test_failed_trials_are_named_and_end_the_job(parts: Parts) -> None:
    job = await parts.end_of(
        parts.add_train_job(
            [parts.add_model()], {"MODEL_TRIAL_COUNT": 10, "TIME_HOURS": 0.1, "WORKER_COUNT": 1}, {"raises": "no luck"}
        )
    )
    trials = parts.store.trials.list(job.id)
    assert len(trials) == parts.settings.max_failures_in_row
    assert job.status == "ERRORED"
    assert job.error is not None and "no luck" in job.error.message
    for trial in trials:
        assert trial.error is not None
        assert (trial.status, trial.error.code) == ("ERRORED", "EXCEPTION")
        assert "Steps.py" in trial.error.message or "line" in trial.error.message


async def test_a_model_that_cannot_be_used_ends_the_job_but_not_the_other_models(parts: Parts) -> None:
    models = [
        parts.add_model(),
        parts.add_model("Abstract"),
        parts.add_model(dependencies={"no-such-package": "1.0"}),
    ]
    job = await parts.end_of(parts.add_train_job(models))
    statuses = [parts.store.catalog.get_model(model.id).status for model in models]  # type: ignore[union-attr]
    assert statuses == ["READY", "INVALID", "INVALID"]
    assert job.status == "ERRORED"
    assert job.error is not None
    assert models[1].name in job.error.message and "no-such-package" in job.error.message
    assert [trial.status for trial in parts.store.trials.list(job.id)] == ["COMPLETED"] * 2


async def test_an_advisor_that_cannot_search_a_models_knobs_is_told(parts: Parts) -> None:
    job = await parts.end_of(parts.add_train_job([parts.add_model()], {"ADVISOR": "FixedAdvisor", "TIME_HOURS": 0.1}))
    assert job.status == "ERRORED"
    assert job.error is not None and "FixedAdvisor does not fit" in job.error.message


async def test_a_killed_worker_is_seen_at_once_and_its_trial_settled_and_repeated(parts: Parts, tmp_path: Path) -> None:
    go = tmp_path / "go"
    budget = {"MODEL_TRIAL_COUNT": 1, "TIME_HOURS": 0.1}
    job = parts.add_train_job([parts.add_model()], budget, {"wait_for_file": str(go)})
    await parts.until(lambda: any(t.status == "RUNNING" for t in parts.store.trials.list(job.id)))
    pid = await parts.until(lambda: _worker_of(parts, job.id))
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(1):
        await parts.until(lambda: any(t.status == "ERRORED" for t in parts.store.trials.list(job.id)))
    go.touch()
    job = await parts.end_of(job)
    second, first = parts.store.trials.list(job.id)
    assert first.error is not None
    assert (first.no, first.attempt, first.status, first.error.code) == (1, 1, "ERRORED", "KILLED")
    assert (second.no, second.attempt, second.status) == (1, 2, "COMPLETED")
    assert second.proposal["knobs"] == first.proposal["knobs"]


async def test_a_template_that_kills_its_process_is_tried_twice_and_no_more(parts: Parts) -> None:
    budget = {"MODEL_TRIAL_COUNT": 1, "TIME_HOURS": 0.1}
    job = await parts.end_of(parts.add_train_job([parts.add_model()], budget, {"die_of": "SIGKILL"}))
    assert job.status == "ERRORED"
    assert [trial.attempt for trial in parts.store.trials.list(job.id)] == [2, 1]


async def test_a_killed_runner_is_restarted_and_goes_on_from_the_stored_trials(parts: Parts, tmp_path: Path) -> None:
    go = tmp_path / "go"
    budget = {"MODEL_TRIAL_COUNT": 3, "TIME_HOURS": 0.1, "WORKER_COUNT": 1}
    job = parts.add_train_job([parts.add_model()], budget, {"wait_for_file": str(go)})
    await parts.until(lambda: any(t.status == "RUNNING" for t in parts.store.trials.list(job.id)))
    worker = await parts.until(lambda: _worker_of(parts, job.id))
    process = parts.store.jobs.get_process(job.id)
    assert process is not None and process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    go.touch()
    job = await parts.end_of(job)
    trials = parts.store.trials.list(job.id)
    assert sorted((trial.no, trial.attempt) for trial in trials) == [(1, 1), (1, 2), (2, 1), (3, 1)]
    first = trials[-1]
    assert first.error is not None and first.error.code == "INTERRUPTED"
    assert control.process_start_time(worker) is None
    assert job.epoch == process.epoch + 1


async def test_stopping_a_job_ends_its_processes_and_its_trials(parts: Parts, tmp_path: Path) -> None:
    job = parts.add_train_job([parts.add_model()], None, {"wait_for_file": str(tmp_path / "never")})
    await parts.until(lambda: any(t.status == "RUNNING" for t in parts.store.trials.list(job.id)))
    worker = await parts.until(lambda: _worker_of(parts, job.id))
    assert parts.store.train_jobs.stop(job.id)
    async with asyncio.timeout(10):
        await parts.supervisor.stop_job(job.id)
    assert control.process_start_time(worker) is None
    assert {(t.status, t.error and t.error.code) for t in parts.store.trials.list(job.id)} == {
        ("ERRORED", "STOPPED_BY_USER")
    }
    assert [slot for slot in parts.store.slots.list() if slot.job_id] == []
    assert not (parts.settings.scratch_dir / job.id).exists()


async def test_an_orderly_stop_leaves_no_process_and_the_next_start_resumes(tmp_path: Path) -> None:
    settings, go = make_settings(tmp_path), tmp_path / "go"
    async with running_parts(settings) as parts:
        job = parts.add_train_job([parts.add_model()], {"MODEL_TRIAL_COUNT": 2}, {"wait_for_file": str(go)})
        await parts.until(lambda: any(t.status == "RUNNING" for t in parts.store.trials.list(job.id)))
        worker = await parts.until(lambda: _worker_of(parts, job.id))
        process = parts.store.jobs.get_process(job.id)
        assert process is not None and process.pid is not None
    assert control.process_start_time(worker) is None
    assert control.process_start_time(process.pid) is None
    go.touch()
    parts.store = parts.store.open(settings)
    parts.supervisor = type(parts.supervisor)(settings, parts.store)
    await parts.supervisor.start()
    try:
        job = await parts.end_of(job)
        assert job.status == "STOPPED"
        completed = [t for t in parts.store.trials.list(job.id) if t.status == "COMPLETED"]
        assert sorted(trial.no for trial in completed) == [1, 2]
        interrupted = [t for t in parts.store.trials.list(job.id) if t.status == "ERRORED"]
        assert {trial.error and trial.error.code for trial in interrupted} == {"INTERRUPTED"}
    finally:
        await parts.supervisor.close()
        parts.store.close()


async def test_when_time_is_over_what_runs_is_stopped(parts: Parts) -> None:
    budget = {"TIME_HOURS": 4 / 3600, "WORKER_COUNT": 1}
    job = await parts.end_of(parts.add_train_job([parts.add_model()], budget, {"only_once": "once"}))
    second, first = parts.store.trials.list(job.id)
    assert job.status == "STOPPED"
    assert first.status == "COMPLETED"
    assert second.error is not None and (second.status, second.error.code) == ("ERRORED", "BUDGET_OVER")
    assert job.active_s >= 4


async def test_a_models_first_trial_may_end_after_the_time_is_over(parts: Parts, tmp_path: Path) -> None:
    go = tmp_path / "go"
    budget = {"TIME_HOURS": 0.5 / 3600, "WORKER_COUNT": 1}
    job = parts.add_train_job([parts.add_model()], budget, {"wait_for_file": str(go)})
    started = await parts.until(lambda: parts.store.trials.list(job.id))
    await parts.until(lambda: (datetime.now(UTC) - started[0].datetime_started).total_seconds() > 0.8)
    go.touch()
    job = await parts.end_of(job)
    assert [(trial.no, trial.status) for trial in parts.store.trials.list(job.id)] == [(1, "COMPLETED")]


async def test_a_hard_limit_stops_even_the_first_trial(parts: Parts, tmp_path: Path) -> None:
    budget = {"TIME_HOURS": 0.5 / 3600, "WORKER_COUNT": 1, "HARD_LIMIT": True}
    job = parts.add_train_job([parts.add_model()], budget, {"wait_for_file": str(tmp_path / "never")})
    job = await parts.end_of(job)
    (trial,) = parts.store.trials.list(job.id)
    assert trial.error is not None and trial.error.code == "BUDGET_OVER"


async def test_two_jobs_share_the_cores(tmp_path: Path) -> None:
    async with running_parts(make_settings(tmp_path, cores=1)) as parts:
        model = parts.add_model()
        budget = {"MODEL_TRIAL_COUNT": 3, "TIME_HOURS": 0.1}
        jobs = [parts.add_train_job([model], budget, {"seconds": 0.1}, app=app) for app in ("one", "two")]
        for job in jobs:
            assert (await parts.end_of(job)).status == "STOPPED"
        spans = sorted(
            (trial.datetime_started, trial.datetime_stopped, trial.job_id)
            for job in jobs
            for trial in parts.store.trials.list(job.id)
        )
        assert len(spans) == 6
        for (_, stopped, _), (started, _, _) in itertools.pairwise(spans):
            assert stopped is not None and stopped <= started


def _worker_of(parts: Parts, job_id: str) -> int | None:
    """The pid of a worker of the job: a child of its runner."""
    process = parts.store.jobs.get_process(job_id)
    if process is None or process.pid is None:
        return None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else None
