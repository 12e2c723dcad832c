"""Inference jobs, and queries to what they serve."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from rafiki.client.connection import Connection
from rafiki.client.errors import RafikiConnectionError
from rafiki.client.section import Section
from rafiki.client.steps import Call, Retry, Row, Step, part
from rafiki.constants import InferenceBudgetOption, InferenceJobStatus

#: Called with an inference job.
InferenceProgress = Callable[[Row], None]

_NONE_RUNS = "InvalidRunningInferenceJobError"


class InferenceJobs(Section):
    def create_inference_job(self, app: str, app_version: int = -1, budget: dict[str, Any] | None = None) -> Row:
        """Deploys the best trials of a train job as one ensemble. `budget`: `GPU_COUNT` is 0 unless given."""
        body = {
            "app": app,
            "app_version": app_version,
            "budget": {InferenceBudgetOption.GPU_COUNT: 0, **(budget or {})},
        }
        return self._run(Call[Row]("POST", "/inference_jobs", body=body))

    def get_inference_jobs_by_user(self, user_id: str | None) -> list[Row]:
        """All inference jobs of a user: oneself (also None), or anyone for admins."""
        return self._run(Call[list[Row]]("GET", "/inference_jobs", params={"user_id": user_id}))

    def get_inference_jobs_of_app(self, app: str) -> list[Row]:
        """The inference jobs of all versions of one's app."""
        return self._run(_jobs_of_app(app))

    def get_running_inference_job(self, app: str, app_version: int = -1) -> Row:
        """The inference job of an app that is `STARTED` or `RUNNING`; -1 is the version deployed last."""
        return self._run(_deployed(app, app_version))

    def stop_inference_job(self, app: str, app_version: int = -1) -> Row:
        """Stops serving an app."""
        # Not again where it may have been done: a second stop of the same job is refused.
        return self._run(Call[Row]("POST", f"/inference_jobs/{part(app)}/{app_version}/stop", retry=Retry.UNSENT))

    def stop_all_jobs(self) -> Row:
        """Stops all jobs of all users. For the superadmin."""
        return self._run(Call[Row]("POST", "/actions/stop_all_jobs", retry=Retry.UNSENT))

    def wait_until_inference_job_is_running(
        self, app: str, app_version: int = -1, timeout: float | None = None, progress: InferenceProgress | None = None
    ) -> Row:
        """Waits until an app's predictor answers queries; the job, with its `predictor_host`.

        `progress` is called with the job each time it is asked for. `RafikiConnectionError` that says why when the
        job ends instead; `TimeoutError` after `timeout` seconds.
        """
        return self._run(_until_running(self, app, app_version, timeout, progress))

    def predict(self, app: str, query: Any = None, queries: list[Any] | None = None, app_version: int = -1) -> Any:
        """Asks an app's predictor: the prediction for `query`, or the list of predictions for `queries`.

        NumPy arrays are fine in queries.
        """
        if (query is None) == (queries is None):
            raise ValueError("predict needs either query, a single one, or queries, a list of them")
        return self._run(_predict(app, app_version, {"query": query} if queries is None else {"queries": queries}))

    def explain(self, app: str, queries: list[Any], app_version: int = -1) -> Row:
        """`{'predictions', 'explanation'}`: which of the ensemble's members predicted what, or failed how."""
        return self._run(_explain(app, app_version, queries))


def _deployed(app: str, app_version: int) -> Call[Row]:
    return Call("GET", f"/inference_jobs/{part(app)}/{app_version}")


def _jobs_of_app(app: str) -> Call[list[Row]]:
    return Call("GET", f"/inference_jobs/{part(app)}")


def _predict(app: str, app_version: int, body: Row) -> Generator[Step, Any, Any]:
    answer = yield from _ask(app, app_version, body)
    return answer["prediction"] if "query" in body else answer["predictions"]


def _explain(app: str, app_version: int, queries: list[Any]) -> Generator[Step, Any, Row]:
    answer = yield from _ask(app, app_version, {"queries": queries}, {"explain": 1})
    return {"predictions": answer["predictions"], "explanation": answer["explanation"]}


def _ask(app: str, app_version: int, body: Row, params: Row | None = None) -> Generator[Step, Any, Row]:
    job = yield from _deployed(app, app_version)
    base = f"http://{job['predictor_host']}"
    return (yield from Call[Row]("POST", "/predict", params, body, base=base, is_signed=False, retry=Retry.UNSENT))


def _until_running(
    connection: Connection, app: str, app_version: int, timeout: float | None, progress: InferenceProgress | None
) -> Generator[Step, Any, Row]:
    job = yield from _deployed(app, app_version)

    def ask() -> Generator[Step, Any, Row | None]:
        now = yield from _same_job(app, job)
        if progress is not None:
            progress(now)
        return now if now["status"] == InferenceJobStatus.RUNNING else None

    return (yield from connection.polling.until(ask, timeout, f"the inference job of {app} is not yet running"))


def _same_job(app: str, job: Row) -> Generator[Step, Any, Row]:
    """The same inference job as it is now, as long as it is deployed; else the error that says how it ended."""
    try:
        return (yield from _deployed(app, job["app_version"]))
    except RafikiConnectionError as error:
        if error.name != _NONE_RUNS:
            raise
        jobs = yield from _jobs_of_app(app)
        ended = next((one for one in jobs if one["id"] == job["id"]), None)
        if ended is None:
            raise
        why = ended.get("error") or {}
        message = f"the inference job of {app} ended {ended['status']}: {why.get('message', 'no reason given')}"
        raise RafikiConnectionError(error.name, message, why.get("hint", ""), error.status) from error
