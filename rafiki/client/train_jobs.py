"""Train jobs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rafiki.client.catalog import available_models
from rafiki.client.connection import Connection
from rafiki.client.progress import TrainProgress, of_train_job
from rafiki.client.section import Section
from rafiki.client.steps import Call, Retry, Row, Step, part
from rafiki.client.trials import all_trials
from rafiki.constants import BudgetOption, TrainJobStatus

_DEFAULT_BUDGET = {BudgetOption.TIME_HOURS: 0.1, BudgetOption.GPU_COUNT: 0}
_LIVE = {TrainJobStatus.STARTED, TrainJobStatus.RUNNING}


class TrainJobs(Section):
    def create_train_job(
        self,
        app: str,
        task: str,
        train_dataset_id: str,
        val_dataset_id: str | None,
        budget: dict[str, Any] | None,
        models: list[str] | None = None,
        train_args: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
    ) -> Row:
        """Starts the search for good knobs of each of `models` (ids; all available ones of the task, if None).

        Where `val_dataset_id` is None, the platform splits the one dataset, and keeps a part that no trial sees.
        `budget` has keys of `rafiki.constants.BudgetOption`; `TIME_HOURS` is 0.1 and `GPU_COUNT` 0 unless given.
        `train_args` go to each template's `train`. `limits` are for admins: what each trial may use in place of what
        the server's settings say, with keys of `rafiki.constants.TrainJobLimit`.
        """
        body = {
            "app": app,
            "task": task,
            "train_dataset_id": train_dataset_id,
            "val_dataset_id": val_dataset_id,
            "budget": {**_DEFAULT_BUDGET, **(budget or {})},
            "train_args": train_args,
            "limits": limits,
        }
        return self._run(_create(body, models))

    def get_train_jobs_by_user(self, user_id: str | None) -> list[Row]:
        """All train jobs of a user: oneself (also None), or anyone for admins."""
        return self._run(Call[list[Row]]("GET", "/train_jobs", params={"user_id": user_id}))

    def get_train_jobs_of_app(self, app: str) -> list[Row]:
        """The train jobs of all versions of one's app."""
        return self._run(Call[list[Row]]("GET", f"/train_jobs/{part(app)}"))

    def get_train_job(self, app: str, app_version: int = -1) -> Row:
        """One train job; -1 is the app's latest version."""
        return self._run(_train_job(app, app_version))

    def stop_train_job(self, app: str, app_version: int = -1) -> Row:
        """Stops a train job and returns when it has stopped; no effect on one that has ended."""
        return self._run(Call[Row]("POST", f"/train_jobs/{part(app)}/{app_version}/stop", retry=Retry.ALWAYS))

    def delete_train_job(self, app: str, app_version: int, user_id: str | None = None) -> Row:
        """Deletes a train job that has ended and is not deployed, with its trials, their logs and parameters.

        One's own, or for admins that of the user `user_id`.
        """
        params = {"user_id": user_id}
        return self._run(Call[Row]("DELETE", f"/train_jobs/{part(app)}/{app_version}", params=params))

    def wait_until_train_job_has_stopped(
        self,
        app: str,
        app_version: int = -1,
        timeout: float | None = None,
        progress: TrainProgress | bool | None = None,
    ) -> Row:
        """Waits until a train job runs no more; the job as it then is, `STOPPED` or `ERRORED`.

        `progress` is called with the job and its trials each time they are asked for, and at the end; True shows
        how it goes, in a table on a terminal, elsewhere in lines. A server that is away for up to a minute is waited
        for. `TimeoutError` after `timeout` seconds.
        """
        return self._run(_until_stopped(self, app, app_version, timeout, progress))


def _train_job(app: str, app_version: int) -> Call[Row]:
    return Call("GET", f"/train_jobs/{part(app)}/{app_version}")


def _create(body: Row, models: list[str] | None) -> Generator[Step, Any, Row]:
    if models is None:
        available = yield from available_models(body["task"])
        models = [model["id"] for model in available]
    return (yield from Call[Row]("POST", "/train_jobs", body={**body, "model_ids": models}))


def _until_stopped(
    connection: Connection, app: str, app_version: int, timeout: float | None, progress: TrainProgress | bool | None
) -> Generator[Step, Any, Row]:
    job = yield from _train_job(app, app_version)
    version = job["app_version"]  # the one that was the latest at the start, whatever is started meanwhile
    what = f"the train job of {app} (version {version}) still runs"
    with of_train_job(progress) as show:

        def ask() -> Generator[Step, Any, Row | None]:
            now = yield from _train_job(app, version)
            if show is not None:
                show(now, (yield from all_trials(app, version)))
            return None if now["status"] in _LIVE else now

        return (yield from connection.polling.until(ask, timeout, what))
