"""Users' ways to the API in this process, and the rows that others leave in its store."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import FastAPI

from rafiki.entities import Dataset, Model, TrainJob, Trial, User
from rafiki.store import Store


class NotedSupervision:
    """Starts and stops nothing; tests look at what it was told."""

    def __init__(self) -> None:
        self.n_wakes = 0
        self.stopped: list[str] = []

    def wake(self) -> None:
        self.n_wakes += 1

    async def stop_job(self, job_id: str) -> None:
        self.stopped.append(job_id)


class Api(httpx.AsyncClient):
    """One user's (or nobody's) way to the app."""

    def __init__(self, app: FastAPI, token: str | None = None, user: User | None = None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        super().__init__(transport=httpx.ASGITransport(app), base_url="http://rafiki", headers=headers)
        self._user = user

    @property
    def user(self) -> User:
        assert self._user is not None
        return self._user


async def refused(answer: Any, status: int, name: str) -> str:
    """Asserts an error in the API's one form; returns its message and hint."""
    response: httpx.Response = await answer
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
    body = response.json()
    assert body["error"] == name, body
    assert set(body) <= {"error", "message", "hint"}
    return f"{body['message']} {body.get('hint', '')}"


async def ok(answer: Any) -> Any:
    response: httpx.Response = await answer
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json"), response.text
    return response.json()


class World:
    """Rows and blobs as uploads, runners and their trials leave them."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def dataset(self, api: Api, task: str = "T") -> Dataset:
        blob_hash = self.store.blobs.put_bytes(b"a,b\n1,2\n")
        return self.store.catalog.create_dataset(api.user.id, "data", task, blob_hash, 8)

    def model(self, api: Api, name: str = "M", task: str = "T", access_right: str = "PRIVATE") -> Model:
        source_hash = self.store.blobs.put_bytes(b"class M: pass\n")
        return self.store.catalog.create_model(api.user.id, name, task, "M", {}, access_right, None, source_hash)

    def train_job(self, api: Api, app: str = "app", model: Model | None = None) -> TrainJob:
        dataset = self.dataset(api)
        model = model or self.model(api, name=f"model of {app} {len(self.store.catalog.list_models())}")
        return self.store.train_jobs.create(
            api.user.id, app, "T", dataset.id, dataset.id, {"TIME_HOURS": 0.1, "GPU_COUNT": 0}, None, [model.id], 1
        )

    def trial(self, job: TrainJob, no: int, score: float | None = None, params: bytes | None = None) -> Trial:
        """A trial of the job's first model; finished where it has a score."""
        process = self.store.jobs.claim(job.id)
        assert process is not None
        proposal = {"trial_no": no, "knobs": {"k": no}, "params_type": "NONE"}
        trial = self.store.trials.start(job.id, process.epoch, job.model_ids[0], no, 1, "worker-1", proposal)
        if score is not None:
            params_hash = None if params is None else self.store.blobs.put_bytes(params)
            assert self.store.trials.finish(trial.id, process.epoch, score, params_hash)
        found = self.store.trials.get(trial.id)
        assert found is not None
        return found
