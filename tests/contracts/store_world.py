"""Rows to start from, for the tests of a store."""

from __future__ import annotations

import itertools
from typing import Any

from rafiki.constants import UserType
from rafiki.entities import Dataset, Failure, FailureCode, InferenceJob, Model, TrainJob, Trial, User
from rafiki.store import Store

FAILURE = Failure(FailureCode.EXCEPTION, "Template.py, line 3: ZeroDivisionError", "Look at line 3.")
PROPOSAL = {"trial_no": 1, "knobs": {"depth": 3, "rate": 0.25, "ü": [None, True]}, "params_type": "NONE"}
HASH = "ab" * 32


class World:
    """What is not said is made up."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._numbers = itertools.count(1)
        self.user = self.add_user()
        self.dataset = self.add_dataset()
        self.model = self.add_model()

    def add_user(self, user_type: str = UserType.APP_DEVELOPER) -> User:
        return self.store.users.create(f"user{next(self._numbers)}@rafiki", "hash", user_type)

    def add_dataset(self, **values: Any) -> Dataset:
        given = {"user_id": self.user.id, "name": "data", "task": "T", "blob_hash": HASH, "size_bytes": 5}
        return self.store.catalog.create_dataset(**{**given, **values})

    def add_model(self, **values: Any) -> Model:
        given = {
            "user_id": self.user.id,
            "name": f"model{next(self._numbers)}",
            "task": "T",
            "model_class": "Template",
            "dependencies": {"scikit-learn": "1.5.0"},
            "access_right": "PRIVATE",
            "docker_image": None,
            "source_hash": HASH,
        }
        return self.store.catalog.create_model(**{**given, **values})

    def add_train_job(self, app: str | None = None, user: User | None = None, **values: Any) -> TrainJob:
        given = {
            "user_id": (user or self.user).id,
            "app": app or f"app{next(self._numbers)}",
            "task": "T",
            "train_dataset_id": self.dataset.id,
            "val_dataset_id": self.dataset.id,
            "budget": {"TIME_HOURS": 0.1},
            "train_args": None,
            "model_ids": [self.model.id],
            "seed": 7,
        }
        return self.store.train_jobs.create(**{**given, **values})

    def add_running_job(self, app: str | None = None, user: User | None = None) -> TrainJob:
        """With a runner of epoch 1."""
        job = self.add_train_job(app, user)
        self.store.jobs.claim(job.id)
        self.store.train_jobs.mark_running(job.id, 1)
        return job

    def add_trial(self, job: TrainJob, no: int = 1, **values: Any) -> Trial:
        given = {"attempt": 1, "worker_id": "w", "proposal_json": PROPOSAL, "epoch": 1, "model_id": self.model.id}
        return self.store.trials.start(job.id, no=no, **{**given, **values})

    def deploy(self, job: TrainJob, **values: Any) -> InferenceJob:
        given = {"host": "127.0.0.1", "port_range": range(30000, 30003), "is_port_free": lambda port: True}
        return self.store.inference_jobs.create(job.user_id, job, {"GPU_COUNT": 0}, **{**given, **values})
