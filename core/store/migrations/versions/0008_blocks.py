"""Completions by columns for questions over all of them; answers to the fixed prompts that every run is asked again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blocks",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "upto", "name"),
    )
    op.create_table(
        "questions",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "replies",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("reward", sa.Float(), nullable=True),
        sa.Column("scores", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "number", "step"),
        sqlite_with_rowid=False,
    )
