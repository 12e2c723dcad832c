"""The JSON that each call answers with, made from the store's entities by their attributes.

Times are ISO 8601 in UTC. A field is here because the contract names it or because a client shows it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, protected_namespaces=())


class ErrorAnswer(Answer):
    error: str = Field(description="the error's name", examples=["InvalidTrainJobError"])
    message: str = Field(description="what was wrong, and where")
    hint: str | None = Field(None, description="what right looks like")


class FailureAnswer(Answer):
    """Why a model, trial or job ended as it did."""

    code: str
    message: str
    hint: str


# --- users --------------------------------------------------------------------------------------------------------


class TokenAnswer(Answer):
    user_id: str
    user_type: str
    token: str = Field(description="for `Authorization: Bearer TOKEN`, good for an hour")


class LongLivedTokenAnswer(Answer):
    id: str
    name: str
    expires_at: datetime | None = Field(description="null: until it is revoked")
    datetime_created: datetime


class NewLongLivedTokenAnswer(LongLivedTokenAnswer):
    token: str = Field(description="for `Authorization: Bearer TOKEN`; told this once")


class UsageAnswer(Answer):
    """Bytes on disk. What two users have alike is counted for both."""

    datasets_bytes: int
    splits_bytes: int = Field(description="of datasets that the platform split for train jobs")
    models_bytes: int
    params_bytes: int = Field(description="of trials' saved parameters")
    logs_bytes: int
    total_bytes: int


class UserAnswer(Answer):
    id: str
    email: str
    user_type: str
    banned_date: datetime | None


# --- catalog ------------------------------------------------------------------------------------------------------


class DatasetAnswer(Answer):
    id: str
    user_id: str
    name: str
    task: str
    size_bytes: int
    labels: list[str] | None = Field(description="names of the classes 0, 1, ...")
    status: str = Field(description="CHECKING, READY or INVALID")
    error: FailureAnswer | None = Field(description="why the dataset is INVALID")
    warnings: list[str] = Field(description="what is odd but usable")
    datetime_created: datetime


class DatasetDetailAnswer(DatasetAnswer):
    stats: dict[str, Any] | None = Field(
        description="once it is READY: `n_items`, and by task `n_classes`, `class_counts`, `image_sizes`, `columns`"
    )


class DatasetItemAnswer(Answer):
    query: Any = Field(description="as the task says; an image is a data URL of a small PNG file")
    label: Any


class ModelRef(Answer):
    id: str
    user_id: str
    name: str
    version: int = Field(description="from 1, of your models of that name")


class AvailableModelAnswer(ModelRef):
    task: str
    model_class: str
    datetime_created: datetime
    dependencies: dict[str, str]
    access_right: str
    status: str = Field(description="CHECKING, READY or INVALID")
    error: FailureAnswer | None = Field(description="why the model is INVALID")
    warnings: list[str]
    progress: str | None = Field(description="what the check of a model that is CHECKING is doing")


class ModelAnswer(AvailableModelAnswer):
    environment: str | None = Field(description="address of the environment that it runs in, once that is built")
    docker_image: str | None


class EnvironmentRef(Answer):
    id: str


class EnvironmentAnswer(EnvironmentRef):
    python: str = Field(description="version of its interpreter")
    is_gpu: bool
    packages: dict[str, str] = Field(description="versions by name")
    n_models: int = Field(description="models that run in it")
    is_in_use: bool = Field(description="a running job, or a model's check, uses it")
    size_bytes: int
    own_bytes: int = Field(description="what removing it gives back: the rest is shared with the cache of packages")
    datetime_created: datetime
    datetime_last_used: datetime


# --- jobs ---------------------------------------------------------------------------------------------------------


class TrainJobRef(Answer):
    id: str
    app: str
    app_version: int


class PartAnswer(Answer):
    n_items: int


class TrainJobAnswer(TrainJobRef):
    user_id: str
    status: str = Field(description="STARTED, RUNNING, STOPPED or ERRORED")
    task: str
    train_dataset_id: str
    val_dataset_id: str | None = Field(description="null: the platform splits the one dataset")
    split: dict[str, PartAnswer] | None = Field(description="`train`, `val` and `holdout`, once the platform has split")
    labels: list[str] | None = Field(description="names of the classes 0, 1, ..., of the train dataset")
    train_args: dict[str, Any] | None
    budget: dict[str, Any]
    limits: dict[str, Any] | None = Field(
        description="what each trial may use, where an admin has set it: `trial_time_s`, `memory_bytes`"
    )
    model_ids: list[str]
    error: FailureAnswer | None
    datetime_started: datetime
    datetime_stopped: datetime | None


class TrialAnswer(Answer):
    id: str
    train_job_id: str = Field(validation_alias="job_id")
    no: int = Field(description="from 1, per model of a job")
    attempt: int = Field(description="from 1, per `no`")
    worker_id: str
    proposal: dict[str, Any] = Field(description="of the advisor; `knobs` are the chosen values")
    status: str = Field(description="PENDING, RUNNING, COMPLETED, ERRORED or PRUNED")
    score: float | None
    error: FailureAnswer | None
    model_id: str
    model_name: str
    is_params_saved: bool
    datetime_started: datetime
    datetime_stopped: datetime | None


class TrialLogAnswer(Answer):
    """In order of logging."""

    messages: list[dict[str, Any]] = Field(description="`{time, message}` each")
    metrics: list[dict[str, Any]] = Field(description="`{time, NAME: number, ...}` each")
    plots: list[dict[str, Any]] = Field(description="`{title, metrics, x_axis}` each")


class InferenceJobRef(Answer):
    id: str
    train_job_id: str
    app: str
    app_version: int


class NewInferenceJobAnswer(InferenceJobRef):
    predictor_host: str = Field(description="host:port; clients POST to http://HOST:PORT/predict")


class InferenceJobAnswer(NewInferenceJobAnswer):
    user_id: str
    status: str = Field(description="STARTED, RUNNING, STOPPED or ERRORED")
    budget: dict[str, Any]
    labels: list[str] | None = Field(description="names of the classes 0, 1, ..., of the train dataset")
    score: float | None = Field(description="of the ensemble, on items that no trial has seen; null: not (yet) known")
    score_on: str | None = Field(description="holdout: what the platform kept of the one dataset")
    n_scored: int | None = Field(description="items that the score is over")
    error: FailureAnswer | None
    datetime_started: datetime
    datetime_stopped: datetime | None


class Ref(Answer):
    id: str


class StoppedJobsAnswer(Answer):
    train_jobs: list[Ref]
    inference_jobs: list[Ref]
