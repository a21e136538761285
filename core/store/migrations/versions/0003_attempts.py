"""Attempts of a run, and the queue's order apart from the time of creation."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("attempt", sa.Integer(), server_default="1", nullable=False))
    op.add_column("runs", sa.Column("queued_at", sa.Float(), server_default="0", nullable=False))
    op.execute("UPDATE runs SET queued_at = created_at")
