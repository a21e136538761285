"""What a run found out about itself while it loaded."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("facts", sa.Text(), server_default="{}", nullable=False))
