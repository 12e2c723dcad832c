"""Train jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rafiki.client.catalog import Catalog
from rafiki.client.connection import Row, part
from rafiki.client.trials import Trials
from rafiki.constants import BudgetOption, TrainJobStatus

#: Called with a train job and its trials, newest first.
TrainProgress = Callable[[Row, list[Row]], None]

_DEFAULT_BUDGET = {BudgetOption.TIME_HOURS: 0.1, BudgetOption.GPU_COUNT: 0}
_LIVE = {TrainJobStatus.STARTED, TrainJobStatus.RUNNING}


class TrainJobs(Catalog, Trials):
    def create_train_job(
        self,
        app: str,
        task: str,
        train_dataset_id: str,
        val_dataset_id: str,
        budget: dict[str, Any],
        models: list[str] | None = None,
        train_args: dict[str, Any] | None = None,
    ) -> Row:
        """Starts the search for good knobs of each of `models` (ids; all available ones of the task, if None).

        `budget` has keys of `rafiki.constants.BudgetOption`; `TIME_HOURS` is 0.1 and `GPU_COUNT` 0 unless given.
        `train_args` go to each template's `train`.
        """
        if models is None:
            models = [model["id"] for model in self.get_available_models(task)]
        body = {
            "app": app,
            "task": task,
            "train_dataset_id": train_dataset_id,
            "val_dataset_id": val_dataset_id,
            "budget": {**_DEFAULT_BUDGET, **(budget or {})},
            "model_ids": models,
            "train_args": train_args,
        }
        answer: Row = self._call("POST", "/train_jobs", body=body)
        return answer

    def get_train_jobs_by_user(self, user_id: str) -> list[Row]:
        """All train jobs of a user: oneself, or anyone for admins."""
        answer: list[Row] = self._call("GET", "/train_jobs", params={"user_id": user_id})
        return answer

    def get_train_jobs_of_app(self, app: str) -> list[Row]:
        """The train jobs of all versions of one's app."""
        answer: list[Row] = self._call("GET", f"/train_jobs/{part(app)}")
        return answer

    def get_train_job(self, app: str, app_version: int = -1) -> Row:
        """One train job; -1 is the app's latest version."""
        answer: Row = self._call("GET", f"/train_jobs/{part(app)}/{app_version}")
        return answer

    def stop_train_job(self, app: str, app_version: int = -1) -> Row:
        """Stops a train job and returns when it has stopped; no effect on one that has ended."""
        answer: Row = self._call("POST", f"/train_jobs/{part(app)}/{app_version}/stop")
        return answer

    def wait_until_train_job_has_stopped(
        self, app: str, app_version: int = -1, timeout: float | None = None, progress: TrainProgress | None = None
    ) -> Row:
        """Waits until a train job runs no more; the job as it then is, `STOPPED` or `ERRORED`.

        `progress` is called with the job and its trials each time they are asked for, and at the end.
        `TimeoutError` after `timeout` seconds.
        """
        job = self.get_train_job(app, app_version)

        def ask() -> Row | None:
            # The version that was the latest at the start, whatever is started meanwhile.
            now = self.get_train_job(app, job["app_version"])
            if progress is not None:
                progress(now, self.get_trials_of_train_job(app, job["app_version"]))
            return None if now["status"] in _LIVE else now

        return self.polling.until(ask, timeout, f"the train job of {app} (version {job['app_version']}) still runs")
