"""Inference jobs, and queries to what they serve."""

from __future__ import annotations

from typing import Any

from rafiki.client.connection import Connection, Row, encode_json, part
from rafiki.client.errors import RafikiConnectionError
from rafiki.constants import InferenceBudgetOption, InferenceJobStatus

_NONE_RUNS = "InvalidRunningInferenceJobError"


class InferenceJobs(Connection):
    def create_inference_job(self, app: str, app_version: int = -1, budget: dict[str, Any] | None = None) -> Row:
        """Deploys the best trials of a train job as one ensemble. `budget`: `GPU_COUNT` is 0 unless given."""
        body = {
            "app": app,
            "app_version": app_version,
            "budget": {InferenceBudgetOption.GPU_COUNT: 0, **(budget or {})},
        }
        answer: Row = self._call("POST", "/inference_jobs", body=body)
        return answer

    def get_inference_jobs_by_user(self, user_id: str) -> list[Row]:
        """All inference jobs of a user: oneself, or anyone for admins."""
        answer: list[Row] = self._call("GET", "/inference_jobs", params={"user_id": user_id})
        return answer

    def get_inference_jobs_of_app(self, app: str) -> list[Row]:
        """The inference jobs of all versions of one's app."""
        answer: list[Row] = self._call("GET", f"/inference_jobs/{part(app)}")
        return answer

    def get_running_inference_job(self, app: str, app_version: int = -1) -> Row:
        """The inference job of an app that is `STARTED` or `RUNNING`; -1 is the version deployed last."""
        answer: Row = self._call("GET", f"/inference_jobs/{part(app)}/{app_version}")
        return answer

    def stop_inference_job(self, app: str, app_version: int = -1) -> Row:
        """Stops serving an app."""
        answer: Row = self._call("POST", f"/inference_jobs/{part(app)}/{app_version}/stop")
        return answer

    def stop_all_jobs(self) -> Row:
        """Stops all jobs of all users. For the superadmin."""
        answer: Row = self._call("POST", "/actions/stop_all_jobs")
        return answer

    def wait_until_inference_job_is_running(self, app: str, app_version: int = -1, timeout: float | None = None) -> Row:
        """Waits until an app's predictor answers queries; the job, with its `predictor_host`.

        `RafikiConnectionError` that says why when the job ends instead; `TimeoutError` after `timeout` seconds.
        """
        job = self.get_running_inference_job(app, app_version)

        def ask() -> Row | None:
            now = self._get_deployed(app, job)
            return now if now["status"] == InferenceJobStatus.RUNNING else None

        return self.polling.until(ask, timeout, f"the inference job of {app} is not yet running")

    def predict(self, app: str, query: Any = None, queries: list[Any] | None = None, app_version: int = -1) -> Any:
        """Asks an app's predictor: the prediction for `query`, or the list of predictions for `queries`.

        NumPy arrays are fine in queries.
        """
        if (query is None) == (queries is None):
            raise ValueError("predict needs either query, a single one, or queries, a list of them")
        job = self.get_running_inference_job(app, app_version)
        answer = self._send(
            "POST",
            f"http://{job['predictor_host']}/predict",
            content=encode_json({"query": query} if queries is None else {"queries": queries}),
            headers={"Content-Type": "application/json"},
        )
        return answer["prediction"] if queries is None else answer["predictions"]

    def _get_deployed(self, app: str, job: Row) -> Row:
        """The same inference job as it is now, as long as it is deployed; else the error that says how it ended."""
        try:
            return self.get_running_inference_job(app, job["app_version"])
        except RafikiConnectionError as error:
            if error.name != _NONE_RUNS:
                raise
            ended = next((one for one in self.get_inference_jobs_of_app(app) if one["id"] == job["id"]), None)
            if ended is None:
                raise
            why = ended.get("error") or {}
            message = f"the inference job of {app} ended {ended['status']}: {why.get('message', 'no reason given')}"
            raise RafikiConnectionError(error.name, message, why.get("hint", ""), error.status) from error
