"""What people add to runs: tags, notes, the archive; and settings they keep by name."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("tags", sa.Text(), server_default="[]", nullable=False))
    op.add_column("runs", sa.Column("notes", sa.Text(), server_default="", nullable=False))
    op.add_column("runs", sa.Column("archived_at", sa.Float(), nullable=True))
    op.create_table(
        "presets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
