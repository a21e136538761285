"""What reward functions said of a completion beside its scores."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "extras",
        sa.Column("completion", sa.Integer(), sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("said", sa.Text(), nullable=False),
    )
