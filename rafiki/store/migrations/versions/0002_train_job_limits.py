"""Limits of a train job's trials that an admin gave it; NULL: as the settings say."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("train_jobs", sa.Column("limits", sa.JSON(none_as_null=True), nullable=True))
