"""Names that users' code and Rafiki's own share. Plain strings, grouped in classes."""

from typing import Any, Dict


class UserType:
    SUPERADMIN = "SUPERADMIN"
    ADMIN = "ADMIN"
    MODEL_DEVELOPER = "MODEL_DEVELOPER"
    APP_DEVELOPER = "APP_DEVELOPER"


class BudgetOption:
    TIME_HOURS = "TIME_HOURS"
    GPU_COUNT = "GPU_COUNT"
    MODEL_TRIAL_COUNT = "MODEL_TRIAL_COUNT"
    HARD_LIMIT = "HARD_LIMIT"
    WORKER_COUNT = "WORKER_COUNT"
    ADVISOR = "ADVISOR"


class TrainJobLimit:
    """What an admin may set for the trials of one train job, in place of the settings."""

    TRIAL_TIME_S = "trial_time_s"
    MEMORY_BYTES = "memory_bytes"


class InferenceBudgetOption:
    GPU_COUNT = "GPU_COUNT"
    MAX_MEMBERS = "MAX_MEMBERS"
    ENSEMBLE = "ENSEMBLE"


class ModelAccessRight:
    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


class DatasetStatus:
    CHECKING = "CHECKING"
    READY = "READY"
    INVALID = "INVALID"


class ModelStatus:
    CHECKING = "CHECKING"
    READY = "READY"
    INVALID = "INVALID"


class TrainJobStatus:
    STARTED = "STARTED"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    ERRORED = "ERRORED"


class InferenceJobStatus:
    STARTED = "STARTED"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    ERRORED = "ERRORED"


class TrialStatus:
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    ERRORED = "ERRORED"
    COMPLETED = "COMPLETED"
    PRUNED = "PRUNED"


class TaskName:
    """The built-in tasks; any other name is a custom task."""

    IMAGE_CLASSIFICATION = "IMAGE_CLASSIFICATION"
    POS_TAGGING = "POS_TAGGING"
    TABULAR_CLASSIFICATION = "TABULAR_CLASSIFICATION"
    TABULAR_REGRESSION = "TABULAR_REGRESSION"


class ModelDependency:
    TENSORFLOW = "tensorflow"
    KERAS = "Keras"
    SCIKIT_LEARN = "scikit-learn"
    TORCH = "torch"
    TORCHVISION = "torchvision"
    SINGA = "singa"
    XGBOOST = "xgboost"
    DS_CTCDECODER = "ds-ctcdecoder"


Budget = Dict[str, Any]
InferenceBudget = Dict[str, Any]
ModelDependencies = Dict[str, str]
