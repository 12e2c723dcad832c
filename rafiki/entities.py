"""Plain data that crosses the house's inner boundaries, and the tables of status transitions.

Nothing here does anything: the store makes these from rows, the routes turn them into JSON, runners read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, FrozenSet, List, Mapping, Optional

from rafiki.constants import DatasetStatus, InferenceJobStatus, ModelStatus, TrainJobStatus, TrialStatus

# From each status to those that may follow it. A status that has none is final.
TRAIN_JOB_TRANSITIONS: Mapping[str, FrozenSet[str]] = {
    TrainJobStatus.STARTED: frozenset({TrainJobStatus.RUNNING, TrainJobStatus.STOPPED, TrainJobStatus.ERRORED}),
    TrainJobStatus.RUNNING: frozenset({TrainJobStatus.STOPPED, TrainJobStatus.ERRORED}),
    TrainJobStatus.STOPPED: frozenset(),
    TrainJobStatus.ERRORED: frozenset(),
}
INFERENCE_JOB_TRANSITIONS: Mapping[str, FrozenSet[str]] = {
    InferenceJobStatus.STARTED: frozenset(
        {InferenceJobStatus.RUNNING, InferenceJobStatus.STOPPED, InferenceJobStatus.ERRORED}
    ),
    InferenceJobStatus.RUNNING: frozenset({InferenceJobStatus.STOPPED, InferenceJobStatus.ERRORED}),
    InferenceJobStatus.STOPPED: frozenset(),
    InferenceJobStatus.ERRORED: frozenset(),
}
TRIAL_TRANSITIONS: Mapping[str, FrozenSet[str]] = {
    TrialStatus.PENDING: frozenset({TrialStatus.RUNNING, TrialStatus.ERRORED}),
    TrialStatus.RUNNING: frozenset({TrialStatus.COMPLETED, TrialStatus.ERRORED, TrialStatus.PRUNED}),
    TrialStatus.COMPLETED: frozenset(),
    TrialStatus.ERRORED: frozenset(),
    TrialStatus.PRUNED: frozenset(),
}
DATASET_TRANSITIONS: Mapping[str, FrozenSet[str]] = {
    DatasetStatus.CHECKING: frozenset({DatasetStatus.READY, DatasetStatus.INVALID}),
    DatasetStatus.READY: frozenset(),
    DatasetStatus.INVALID: frozenset(),
}
MODEL_TRANSITIONS: Mapping[str, FrozenSet[str]] = {
    ModelStatus.CHECKING: frozenset({ModelStatus.READY, ModelStatus.INVALID}),
    ModelStatus.READY: frozenset(),
    ModelStatus.INVALID: frozenset(),
}

#: An unfinished job: its runner should be alive.
LIVE_STATUSES = frozenset({TrainJobStatus.STARTED, TrainJobStatus.RUNNING})


class FailureCode:
    """Why a trial, model, member or job ended as it did. Each has one sentence and a hint where it is made."""

    IMPORT_ERROR = "IMPORT_ERROR"  # the template's file cannot be imported
    INVALID_MODEL_CLASS = "INVALID_MODEL_CLASS"  # it can, but breaks a rule of model templates
    MISSING_DEPENDENCY = "MISSING_DEPENDENCY"
    EXCEPTION = "EXCEPTION"  # the template's code raised
    BAD_SCORE = "BAD_SCORE"
    BAD_PARAMETERS = "BAD_PARAMETERS"
    BAD_PREDICTIONS = "BAD_PREDICTIONS"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"  # the disk, or the part of it that a worker may use
    OUTPUT_LIMIT = "OUTPUT_LIMIT"  # it logged or printed more than it may
    CPU_LIMIT = "CPU_LIMIT"
    PROCESS_LIMIT = "PROCESS_LIMIT"  # too many processes and threads
    NETWORK_BLOCKED = "NETWORK_BLOCKED"
    KILLED = "KILLED"  # the worker died of a signal that Rafiki did not send
    EXITED = "EXITED"  # the template's code ended its process
    TIME_LIMIT = "TIME_LIMIT"
    BUDGET_OVER = "BUDGET_OVER"
    STOPPED_BY_USER = "STOPPED_BY_USER"
    INTERRUPTED = "INTERRUPTED"  # the platform stopped or its runner died; tried again where that makes sense
    TOO_MANY_FAILURES = "TOO_MANY_FAILURES"
    INVALID_MODELS = "INVALID_MODELS"
    INVALID_DATASET = "INVALID_DATASET"
    NO_MEMBERS = "NO_MEMBERS"
    PORT_TAKEN = "PORT_TAKEN"
    PROTOCOL = "PROTOCOL"  # a worker sent something that is no frame of ours
    INTERNAL = "INTERNAL"


@dataclass(frozen=True)
class Failure:
    """A reason that a person can act on: a code, a sentence, a hint."""

    code: str
    message: str
    hint: str = ""

    def to_json(self) -> Dict[str, str]:
        return {"code": self.code, "message": self.message, "hint": self.hint}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Failure:
        return Failure(str(value["code"]), str(value["message"]), str(value.get("hint") or ""))


@dataclass(frozen=True)
class User:
    id: str
    email: str
    user_type: str
    banned_date: Optional[datetime] = None


@dataclass(frozen=True)
class Token:
    """A named, long-lived token; the secret itself is not kept."""

    id: str
    user_id: str
    name: str
    expires_at: Optional[datetime]  # None: until it is revoked
    datetime_created: datetime


@dataclass(frozen=True)
class Usage:
    """Bytes on disk by kind. What two users have alike is counted for both, and for one user once."""

    datasets_bytes: int
    splits_bytes: int  # of datasets that the platform split
    models_bytes: int
    params_bytes: int
    logs_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.datasets_bytes + self.splits_bytes + self.models_bytes + self.params_bytes + self.logs_bytes


@dataclass(frozen=True)
class Dataset:
    id: str
    user_id: str
    name: str
    task: str
    blob_hash: str
    size_bytes: int
    labels: Optional[List[str]]  # names of the class numbers 0, 1, ...
    status: str
    error: Optional[Failure]
    warnings: List[str]
    stats: Optional[Dict[str, Any]]  # what `Task.stats` found; None until READY
    datetime_created: datetime


@dataclass(frozen=True)
class DatasetPart:
    """One part of a dataset that the platform split."""

    blob_hash: str
    n_items: int


@dataclass(frozen=True)
class Model:
    id: str
    user_id: str
    name: str
    version: int  # from 1, of the models of one user that share the name
    task: str
    model_class: str
    dependencies: Dict[str, str]
    access_right: str
    docker_image: Optional[str]
    source_hash: str  # the template's file in the blobs
    status: str
    error: Optional[Failure]
    warnings: List[str]
    knob_config: Optional[str]  # JSON text of `serialize_knob_config`; None until READY
    datetime_created: datetime
    environment: Optional[str] = None  # address of what it runs in; None until that is built
    progress: Optional[str] = None  # what its check is doing; None once it has ended


@dataclass(frozen=True)
class TrainJob:
    id: str
    user_id: str
    app: str
    app_version: int
    task: str
    status: str
    epoch: int
    seed: int
    budget: Dict[str, Any]
    train_args: Optional[Dict[str, Any]]
    limits: Optional[Dict[str, Any]]  # by the names of `constants.TrainJobLimit`; None: as the settings say
    train_dataset_id: str
    val_dataset_id: Optional[str]  # None: the platform splits the one dataset
    split: Optional[Dict[str, DatasetPart]]  # 'train', 'val' and 'holdout', once the platform has split it
    labels: Optional[List[str]]  # of the train dataset
    model_ids: List[str]
    active_s: float  # seconds in which the job had a worker, up to the last save
    error: Optional[Failure]
    datetime_started: datetime
    datetime_stopped: Optional[datetime]


@dataclass(frozen=True)
class Trial:
    id: str
    job_id: str
    model_id: str
    model_name: str
    no: int  # from 1, per model of a job
    attempt: int  # from 1, per `no`
    parent_trial_id: Optional[str]  # the trial whose parameters this one started from
    worker_id: str
    status: str
    proposal: Dict[str, Any]  # JSON of `rafiki.advisor.Proposal`
    score: Optional[float]
    error: Optional[Failure]
    params_hash: Optional[str]
    is_params_saved: bool
    datetime_started: datetime
    datetime_stopped: Optional[datetime]


@dataclass(frozen=True)
class InferenceJob:
    id: str
    user_id: str
    train_job_id: str
    app: str
    app_version: int
    status: str
    epoch: int
    budget: Dict[str, Any]
    predictor_port: int
    predictor_host: str  # host:port, as clients use it
    labels: Optional[List[str]]  # of the train dataset
    score: Optional[float]  # of the ensemble, on `n_scored` items that no trial has seen
    score_on: Optional[str]  # 'holdout'
    n_scored: Optional[int]
    error: Optional[Failure]
    datetime_started: datetime
    datetime_stopped: Optional[datetime]


@dataclass(frozen=True)
class RunnerProcess:
    """A runner that was started for a job: known by its pid and its start time (clock ticks since boot)."""

    job_id: str
    kind: str  # 'TRAIN' or 'INFERENCE'
    epoch: int
    pid: Optional[int]
    start_time: Optional[int]
    n_failed_starts: int = 0


@dataclass(frozen=True)
class Slot:
    """A core or a GPU of this machine, and the job that leases it."""

    kind: str  # 'core' or 'gpu'
    index: int
    job_id: Optional[str] = None
    epoch: Optional[int] = None


@dataclass(frozen=True)
class TrialLog:
    """A trial's log, in order of logging."""

    messages: List[Dict[str, Any]] = field(default_factory=list)
    metrics: List[Dict[str, Any]] = field(default_factory=list)
    plots: List[Dict[str, Any]] = field(default_factory=list)
