"""A store, a supervisor and real runners and workers, without the HTTP API: for tests of what lies under it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rafiki.entities import InferenceJob, Model, TrainJob, User
from rafiki.server.supervisor import Supervisor
from rafiki.settings import Settings
from rafiki.store import Store

TEMPLATES = Path(__file__).parent / "templates"
TIME_LIMIT_S = 60.0


def make_settings(folder: Path, **changes: Any) -> Settings:
    """Settings of a platform in a folder. Templates can read what a test puts there beside the data folder."""
    given = {"cores": 2, "gpus": 0, "worker_readable": str(folder)} | changes
    return Settings(data_dir=folder / "data", **given)


class Parts:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store.open(settings)
        self.supervisor = Supervisor(settings, self.store)
        self.user: User = self.store.users.create("developer@rafiki", "hash", "MODEL_DEVELOPER")

    def add_model(
        self,
        model_class: str = "Steps",
        source: bytes | None = None,
        dependencies: dict[str, str] | None = None,
        task: str = "ANY",
    ) -> Model:
        source = (TEMPLATES / "Steps.py").read_bytes() if source is None else source
        n_models = len(self.store.catalog.list_models(self.user.id))
        model = self.store.catalog.create_model(
            user_id=self.user.id,
            name=f"{model_class}-{n_models}",
            task=task,
            model_class=model_class,
            dependencies=dependencies or {},
            access_right="PRIVATE",
            docker_image=None,
            source_hash=self.store.blobs.put_bytes(source),
        )
        self.supervisor.wake()
        return model

    def add_train_job(
        self,
        models: list[Model],
        budget: dict[str, Any] | None = None,
        train_args: dict[str, Any] | None = None,
        app: str = "app",
        user: User | None = None,
        limits: dict[str, Any] | None = None,
    ) -> TrainJob:
        owner = user or self.user
        blob_hash = self.store.blobs.put_bytes(b"a,b\n1,2\n")
        dataset = self.store.catalog.create_dataset(owner.id, "data", "ANY", blob_hash, 8)
        job = self.store.train_jobs.create(
            user_id=owner.id,
            app=app,
            task="ANY",
            train_dataset_id=dataset.id,
            val_dataset_id=dataset.id,
            budget=budget or {"MODEL_TRIAL_COUNT": 2, "TIME_HOURS": 0.1},
            train_args=train_args,
            model_ids=[model.id for model in models],
            seed=7,
            limits=limits,
        )
        self.supervisor.wake()
        return job

    def add_inference_job(self, train_job: TrainJob, budget: dict[str, Any] | None = None) -> InferenceJob:
        job = self.store.inference_jobs.create(
            self.user.id, train_job, budget or {}, "127.0.0.1", self.settings.predictor_port_range, lambda port: True
        )
        self.supervisor.wake()
        return job

    async def until(self, condition: Callable[[], Any]) -> Any:
        """What `condition` answers once it is true: rows are watched from outside, as a user's client does."""
        async with asyncio.timeout(TIME_LIMIT_S):
            while not (answer := condition()):
                await asyncio.sleep(0.02)
        return answer

    async def end_of(self, job: TrainJob) -> TrainJob:
        def ended() -> TrainJob | None:
            now = self.store.train_jobs.get(job.id)
            return now if now is not None and now.status in ("STOPPED", "ERRORED") else None

        ended_job: TrainJob = await self.until(ended)
        return ended_job


@asynccontextmanager
async def running_parts(settings: Settings) -> AsyncIterator[Parts]:
    parts = Parts(settings)
    await parts.supervisor.start()
    try:
        yield parts
    finally:
        await parts.supervisor.close()
        parts.store.close()
