"""How the adapter reaches a run's engine, and what was measured to choose it (JSON)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("sync", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "sync")
