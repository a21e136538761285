"""What 0005 makes, for databases that had 0007 before 0005 came between: the two were numbered side by side."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table("texts"):
        import_module("core.store.migrations.versions.0005_completions").upgrade()
