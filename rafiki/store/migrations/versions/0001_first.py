"""The first revision: the tables that everything rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=512), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("user_type", sa.String(length=32), nullable=False),
        sa.Column("banned_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("datetime_created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("blob_hash", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("warnings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("stats", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("datetime_created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_datasets_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
    )
    op.create_index(op.f("ix_datasets_status"), "datasets", ["status"], unique=False)
    op.create_index(op.f("ix_datasets_user_id"), "datasets", ["user_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("app_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("start_time", sa.BigInteger(), nullable=True),
        sa.Column("n_failed_starts", sa.Integer(), nullable=False),
        sa.Column("datetime_started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("datetime_stopped", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_jobs_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_live_inference",
        "jobs",
        ["user_id", "app", "app_version"],
        unique=True,
        sqlite_where=sa.text("kind = 'INFERENCE' AND status IN ('STARTED', 'RUNNING')"),
        postgresql_where=sa.text("kind = 'INFERENCE' AND status IN ('STARTED', 'RUNNING')"),
    )
    op.create_index(
        "ix_jobs_live_train",
        "jobs",
        ["user_id", "app"],
        unique=True,
        sqlite_where=sa.text("kind = 'TRAIN' AND status IN ('STARTED', 'RUNNING')"),
        postgresql_where=sa.text("kind = 'TRAIN' AND status IN ('STARTED', 'RUNNING')"),
    )
    op.create_index(
        "ix_jobs_train_version",
        "jobs",
        ["user_id", "app", "app_version"],
        unique=True,
        sqlite_where=sa.text("kind = 'TRAIN'"),
        postgresql_where=sa.text("kind = 'TRAIN'"),
    )
    op.create_index("ix_jobs_user_id_app", "jobs", ["user_id", "app"], unique=False)
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("model_class", sa.Text(), nullable=False),
        sa.Column("dependencies", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("access_right", sa.String(length=16), nullable=False),
        sa.Column("docker_image", sa.Text(), nullable=True),
        sa.Column("source_hash", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=True),
        sa.Column("lock", sa.Text(), nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("warnings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("knob_config", sa.Text(), nullable=True),
        sa.Column("datetime_created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_models_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    op.create_index(op.f("ix_models_environment"), "models", ["environment"], unique=False)
    op.create_index(op.f("ix_models_status"), "models", ["status"], unique=False)
    op.create_index("ix_models_version", "models", ["user_id", "name", "version"], unique=True)
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("datetime_created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("datetime_revoked", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"], unique=False)
    op.create_table(
        "inference_jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("train_job_id", sa.String(length=36), nullable=False),
        sa.Column("budget", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("score_on", sa.String(length=16), nullable=True),
        sa.Column("n_scored", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["jobs.id"], name=op.f("fk_inference_jobs_id")),
        sa.ForeignKeyConstraint(["train_job_id"], ["jobs.id"], name=op.f("fk_inference_jobs_train_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inference_jobs")),
    )
    op.create_index(op.f("ix_inference_jobs_train_job_id"), "inference_jobs", ["train_job_id"], unique=False)
    op.create_table(
        "predictor_ports",
        sa.Column("port", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_predictor_ports_job_id")),
        sa.PrimaryKeyConstraint("port", name=op.f("pk_predictor_ports")),
        sa.UniqueConstraint("job_id", name=op.f("uq_predictor_ports_job_id")),
    )
    op.create_table(
        "slots",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_offered", sa.Boolean(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_slots_job_id")),
        sa.PrimaryKeyConstraint("kind", "index", name=op.f("pk_slots")),
    )
    op.create_index(op.f("ix_slots_job_id"), "slots", ["job_id"], unique=False)
    op.create_table(
        "train_job_models",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_train_job_models_job_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_train_job_models_model_id")),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_train_job_models")),
    )
    op.create_index(op.f("ix_train_job_models_model_id"), "train_job_models", ["model_id"], unique=False)
    op.create_table(
        "train_jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("budget", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("train_args", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("train_dataset_id", sa.String(length=36), nullable=False),
        sa.Column("val_dataset_id", sa.String(length=36), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("active_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["jobs.id"], name=op.f("fk_train_jobs_id")),
        sa.ForeignKeyConstraint(["train_dataset_id"], ["datasets.id"], name=op.f("fk_train_jobs_train_dataset_id")),
        sa.ForeignKeyConstraint(["val_dataset_id"], ["datasets.id"], name=op.f("fk_train_jobs_val_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_train_jobs")),
    )
    op.create_index(op.f("ix_train_jobs_train_dataset_id"), "train_jobs", ["train_dataset_id"], unique=False)
    op.create_index(op.f("ix_train_jobs_val_dataset_id"), "train_jobs", ["val_dataset_id"], unique=False)
    op.create_table(
        "train_job_parts",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("blob_hash", sa.String(length=64), nullable=False),
        sa.Column("n_items", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_train_job_parts_job_id")),
        sa.PrimaryKeyConstraint("job_id", "part", name=op.f("pk_train_job_parts")),
    )
    op.create_table(
        "app_versions",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_app_versions_user_id")),
        sa.PrimaryKeyConstraint("user_id", "app", name=op.f("pk_app_versions")),
    )
    op.create_table(
        "trials",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("model_id", sa.String(length=36), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("parent_trial_id", sa.String(length=36), nullable=True),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("proposal", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("params_hash", sa.String(length=64), nullable=True),
        sa.Column("is_params_saved", sa.Boolean(), nullable=False),
        sa.Column("predictions_hash", sa.String(length=64), nullable=True),
        sa.Column("datetime_started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("datetime_stopped", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_trials_job_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_trials_model_id")),
        sa.ForeignKeyConstraint(["parent_trial_id"], ["trials.id"], name=op.f("fk_trials_parent_trial_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trials")),
        sa.UniqueConstraint("id", name=op.f("uq_trials_id")),
    )
    op.create_index("ix_trials_attempt", "trials", ["job_id", "model_id", "no", "attempt"], unique=True)
    op.create_index("ix_trials_job_id_seq", "trials", ["job_id", "seq"], unique=False)
    op.create_index("ix_trials_saved", "trials", ["job_id", "model_id", "is_params_saved"], unique=False)
    op.create_index(op.f("ix_trials_params_hash"), "trials", ["params_hash"], unique=False)
    op.create_index(op.f("ix_trials_predictions_hash"), "trials", ["predictions_hash"], unique=False)
    op.create_table(
        "waits",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_waits_job_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_waits")),
    )
    op.create_index("ix_waits_job_id_kind", "waits", ["job_id", "kind"], unique=True)
    op.create_table(
        "trial_log_chunks",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.String(length=36), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("n_lines", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_trial_log_chunks_trial_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trial_log_chunks")),
    )
    op.create_index(op.f("ix_trial_log_chunks_trial_id"), "trial_log_chunks", ["trial_id"], unique=False)
