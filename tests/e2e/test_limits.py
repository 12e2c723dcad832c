"""Limits of one train job's trials, in place of the settings': with real runners and workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from rafiki.entities import Failure, TrainJob
from tests.platform_parts import Parts, make_settings, running_parts

MB = 2**20
ONE_TRIAL = {"MODEL_TRIAL_COUNT": 1}


def failures(parts: Parts, job_id: str) -> list[Failure | None]:
    """Of a job's trials, the oldest first."""
    return [trial.error for trial in reversed(parts.store.trials.list(job_id))]


async def test_a_hungry_trial_ends_where_its_job_has_little_memory_and_only_there(tmp_path: Path) -> None:
    async with running_parts(make_settings(tmp_path)) as parts:
        model, hungry = parts.add_model(), {"n_bytes": 300 * MB, "seconds": 1.5}
        limited = parts.add_train_job([model], ONE_TRIAL, hungry, "limited", limits={"memory_bytes": 200 * MB})
        free = parts.add_train_job([model], ONE_TRIAL, hungry, "free")
        assert (await parts.end_of(limited)).status == "ERRORED"
        [error] = failures(parts, limited.id)
        assert error is not None and error.code == "OUT_OF_MEMORY"
        assert "200 MB" in error.message
        assert "limits of its job allow 200 MB" in error.hint and "memory_bytes" in error.hint
        assert (await parts.end_of(free)).status == "STOPPED"
        assert failures(parts, free.id) == [None]


async def test_a_job_may_have_less_time_for_a_trial_than_the_settings_say_or_more(tmp_path: Path) -> None:
    async with running_parts(make_settings(tmp_path, trial_time_limit_s=2.5)) as parts:
        model, never, slow = parts.add_model(), {"wait_for_file": str(tmp_path / "never")}, {"seconds": 3.5}
        less = parts.add_train_job([model], ONE_TRIAL, never, "less", limits={"trial_time_s": 1.25})
        more = parts.add_train_job([model], ONE_TRIAL, slow, "more", limits={"trial_time_s": 60.0})
        [error] = await _ended(parts, less.id)
        assert error is not None and error.code == "TIME_LIMIT"
        assert "1.25 s" in error.message and "limits of its job" in error.message
        assert "trial_time_s" in error.hint
        assert await _ended(parts, more.id) == [None]
        [error] = await _ended(parts, parts.add_train_job([model], ONE_TRIAL, never, "settings").id)
        assert error is not None and error.code == "TIME_LIMIT"
        assert "2.5 s" in error.message and "trial_time_limit_s" in error.hint


async def test_the_next_attempt_under_the_next_runner_has_the_same_limits(tmp_path: Path) -> None:
    async with running_parts(make_settings(tmp_path)) as parts:
        job = await _waiting_job(parts, tmp_path)
        process = parts.store.jobs.get_process(job.id)
        assert process is not None and process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        assert [error and error.code for error in await _ended(parts, job.id)] == ["INTERRUPTED", "TIME_LIMIT"]


async def test_after_a_restart_of_the_server_too(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running_parts(settings) as parts:
        job = await _waiting_job(parts, tmp_path)
    parts.store = parts.store.open(settings)
    parts.supervisor = type(parts.supervisor)(settings, parts.store)
    await parts.supervisor.start()
    try:
        assert [error and error.code for error in await _ended(parts, job.id)] == ["INTERRUPTED", "TIME_LIMIT"]
    finally:
        await parts.supervisor.close()
        parts.store.close()


async def _waiting_job(parts: Parts, folder: Path) -> TrainJob:
    """A job of a trial that never ends and may take 2 s."""
    arguments = {"wait_for_file": str(folder / "never")}
    job = parts.add_train_job([parts.add_model()], ONE_TRIAL, arguments, limits={"trial_time_s": 2})
    await parts.until(lambda: any(trial.status == "RUNNING" for trial in parts.store.trials.list(job.id)))
    return job


async def _ended(parts: Parts, job_id: str) -> list[Failure | None]:
    job = parts.store.train_jobs.get(job_id)
    assert job is not None
    await parts.end_of(job)
    return failures(parts, job_id)
