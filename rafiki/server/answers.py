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


class UserAnswer(Answer):
    id: str
    email: str
    user_type: str
    banned_date: datetime | None


# --- catalog ------------------------------------------------------------------------------------------------------


class DatasetAnswer(Answer):
    id: str
    name: str
    task: str
    size_bytes: int
    datetime_created: datetime


class ModelRef(Answer):
    id: str
    user_id: str
    name: str


class AvailableModelAnswer(ModelRef):
    task: str
    model_class: str
    datetime_created: datetime
    dependencies: dict[str, str]
    access_right: str
    status: str = Field(description="CHECKING, READY or INVALID")
    error: FailureAnswer | None = Field(description="why the model is INVALID")
    warnings: list[str]


class ModelAnswer(AvailableModelAnswer):
    docker_image: str | None


# --- jobs ---------------------------------------------------------------------------------------------------------


class TrainJobRef(Answer):
    id: str
    app: str
    app_version: int


class TrainJobAnswer(TrainJobRef):
    user_id: str
    status: str = Field(description="STARTED, RUNNING, STOPPED or ERRORED")
    task: str
    train_dataset_id: str
    val_dataset_id: str
    train_args: dict[str, Any] | None
    budget: dict[str, Any]
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
    error: FailureAnswer | None
    datetime_started: datetime
    datetime_stopped: datetime | None


class Ref(Answer):
    id: str


class StoppedJobsAnswer(Answer):
    train_jobs: list[Ref]
    inference_jobs: list[Ref]
