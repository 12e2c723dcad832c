"""The tables. `REVISION` names the migration that leads to exactly these; a test compares the two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from rafiki.store.columns import UtcDateTime

REVISION = "0002"


def _json() -> JSON:
    """`None` is SQL's NULL, so that `IS NULL` means what it says."""
    return JSON(none_as_null=True)


def _id() -> Column[str]:
    return Column("id", String(36), primary_key=True)


def _seq() -> Column[int]:
    """Rises with each row: the order of insertion, whatever the clock did."""
    return Column("seq", Integer, primary_key=True)


def _to(column: str, name: str, **options: Any) -> Column[str]:
    return Column(name, String(36), ForeignKey(column), **{"nullable": False, **options})


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    _id(),
    Column("email", String(254), nullable=False),
    Column("email_key", String(512), nullable=False, unique=True),  # the e-mail without its case
    Column("password_hash", Text, nullable=False),
    Column("user_type", String(32), nullable=False),
    Column("banned_date", UtcDateTime),
    Column("datetime_created", UtcDateTime, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    Column("token_hash", String(128), nullable=False, unique=True),
    _to("users.id", "user_id", index=True),
    Column("name", Text),  # None: a sign-in; else a named one, for scripts
    Column("expires_at", UtcDateTime),  # None: until revoked
    Column("datetime_created", UtcDateTime, nullable=False),
    Column("datetime_revoked", UtcDateTime),
)

datasets = Table(
    "datasets",
    metadata,
    _id(),
    _to("users.id", "user_id", index=True),
    Column("name", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("blob_hash", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("labels", _json()),  # names of the class numbers
    Column("status", String(16), nullable=False, index=True),
    Column("error", _json()),
    Column("warnings", _json(), nullable=False),
    Column("stats", _json()),  # by task; None until READY
    Column("datetime_created", UtcDateTime, nullable=False),
)

models = Table(
    "models",
    metadata,
    _id(),
    _to("users.id", "user_id"),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("task", Text, nullable=False),
    Column("model_class", Text, nullable=False),
    Column("dependencies", _json(), nullable=False),
    Column("access_right", String(16), nullable=False),
    Column("docker_image", Text),
    Column("source_hash", String(64), nullable=False),
    Column("environment", String(64), index=True),  # address of what it runs in
    Column("lock", Text),  # the exact packages that its environment was built from
    Column("progress", Text),  # what its check is doing
    Column("status", String(16), nullable=False, index=True),
    Column("error", _json()),
    Column("warnings", _json(), nullable=False),
    Column("knob_config", Text),
    Column("datetime_created", UtcDateTime, nullable=False),
    Index("ix_models_version", "user_id", "name", "version", unique=True),
)

# What train and inference jobs share; each kind's own columns are in a table of its own with the same id.
_LIVE = "status IN ('STARTED', 'RUNNING')"

jobs = Table(
    "jobs",
    metadata,
    _id(),
    Column("kind", String(16), nullable=False),  # 'TRAIN' or 'INFERENCE'
    _to("users.id", "user_id"),
    Column("app", Text, nullable=False),
    Column("app_version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", _json()),
    Column("epoch", Integer, nullable=False),
    Column("pid", Integer),
    Column("start_time", BigInteger),
    Column("n_failed_starts", Integer, nullable=False),
    Column("datetime_started", UtcDateTime, nullable=False),
    Column("datetime_stopped", UtcDateTime),
    Index("ix_jobs_user_id_app", "user_id", "app"),
    # The rules that no race may break: versions are unique, and one job per app (version) is live.
    Index(
        "ix_jobs_train_version",
        "user_id",
        "app",
        "app_version",
        unique=True,
        sqlite_where=text("kind = 'TRAIN'"),
        postgresql_where=text("kind = 'TRAIN'"),
    ),
    Index(
        "ix_jobs_live_train",
        "user_id",
        "app",
        unique=True,
        sqlite_where=text(f"kind = 'TRAIN' AND {_LIVE}"),
        postgresql_where=text(f"kind = 'TRAIN' AND {_LIVE}"),
    ),
    Index(
        "ix_jobs_live_inference",
        "user_id",
        "app",
        "app_version",
        unique=True,
        sqlite_where=text(f"kind = 'INFERENCE' AND {_LIVE}"),
        postgresql_where=text(f"kind = 'INFERENCE' AND {_LIVE}"),
    ),
)

train_jobs = Table(
    "train_jobs",
    metadata,
    _to("jobs.id", "id", primary_key=True),
    Column("task", Text, nullable=False),
    Column("budget", _json(), nullable=False),
    Column("train_args", _json()),
    _to("datasets.id", "train_dataset_id", index=True),
    _to("datasets.id", "val_dataset_id", nullable=True, index=True),  # None: the platform splits the one dataset
    Column("seed", BigInteger, nullable=False),
    Column("active_s", Float, nullable=False),
    Column("limits", _json()),  # of its trials, by an admin; None: as the settings say
)

# What the platform split a job's one dataset into.
train_job_parts = Table(
    "train_job_parts",
    metadata,
    _to("jobs.id", "job_id", primary_key=True),
    Column("part", String(16), primary_key=True),  # 'train', 'val' or 'holdout'
    Column("blob_hash", String(64), nullable=False),
    Column("n_items", Integer, nullable=False),
)

# The highest version that an app ever had: a deleted job's is not given out again.
app_versions = Table(
    "app_versions",
    metadata,
    _to("users.id", "user_id", primary_key=True),
    Column("app", Text, primary_key=True),
    Column("last_version", Integer, nullable=False),
)

train_job_models = Table(
    "train_job_models",
    metadata,
    _to("jobs.id", "job_id", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _to("models.id", "model_id", index=True),
)

inference_jobs = Table(
    "inference_jobs",
    metadata,
    _to("jobs.id", "id", primary_key=True),
    _to("jobs.id", "train_job_id", index=True),
    Column("budget", _json(), nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("score", Float),  # of the ensemble
    Column("score_on", String(16)),  # 'holdout'
    Column("n_scored", Integer),  # items that the score is over
)

# The ports that live inference jobs hold; a job's own columns remember its last one for ever.
predictor_ports = Table(
    "predictor_ports",
    metadata,
    Column("port", Integer, primary_key=True, autoincrement=False),
    _to("jobs.id", "job_id", unique=True),
)

trials = Table(
    "trials",
    metadata,
    _seq(),
    Column("id", String(36), nullable=False, unique=True),
    _to("jobs.id", "job_id"),
    _to("models.id", "model_id"),
    Column("no", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("parent_trial_id", String(36), ForeignKey("trials.id")),
    Column("worker_id", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("proposal", _json(), nullable=False),
    Column("score", Float),
    Column("error", _json()),
    Column("params_hash", String(64), index=True),
    Column("is_params_saved", Boolean, nullable=False),
    Column("predictions_hash", String(64), index=True),  # its predictions on the validation data
    Column("datetime_started", UtcDateTime, nullable=False),
    Column("datetime_stopped", UtcDateTime),
    Index("ix_trials_job_id_seq", "job_id", "seq"),
    Index("ix_trials_saved", "job_id", "model_id", "is_params_saved"),
    Index("ix_trials_attempt", "job_id", "model_id", "no", "attempt", unique=True),
)

trial_log_chunks = Table(
    "trial_log_chunks",
    metadata,
    _seq(),
    _to("trials.id", "trial_id", index=True),
    Column("lines", Text, nullable=False),
    Column("n_lines", Integer, nullable=False),
    Column("metrics", _json()),  # {name: [minimum, maximum]} over the chunk
)

slots = Table(
    "slots",
    metadata,
    Column("kind", String(8), primary_key=True),  # 'core' or 'gpu'
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("is_offered", Boolean, nullable=False),  # False: no longer in the inventory, but still leased
    _to("jobs.id", "job_id", nullable=True, index=True),
    Column("epoch", Integer),
)

waits = Table(
    "waits",
    metadata,
    _seq(),
    _to("jobs.id", "job_id"),
    Column("kind", String(8), nullable=False),
    Index("ix_waits_job_id_kind", "job_id", "kind", unique=True),
)
