"""Completions that can be browsed at any scale: narrow rows, text apart with full-text indices, evidence, remarks."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCORE_COLUMNS = 8
# An external-content index holds no text of its own: it is told of every change by triggers.
SEARCHED = (
    ("answers_search", "texts", "completion", ("text",)),
    ("prompts_search", "groups", "id", ("prompt", "fields")),
)


def upgrade() -> None:
    _apart()
    _narrow()
    _said()
    op.add_column("tokens", sa.Column("trainer_logprobs", sa.LargeBinary(), nullable=True))
    op.add_column("tokens", sa.Column("entropies", sa.LargeBinary(), nullable=True))
    for index, table, key, columns in SEARCHED:
        _search(index, table, key, columns)


def _apart() -> None:
    """What a completion said moves to a table of its own; equal prompts get equal keys."""
    op.create_table(
        "texts",
        sa.Column("completion", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["completion"], ["completions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("completion"),
    )
    op.execute("INSERT INTO texts (completion, text) SELECT id, text FROM completions")
    op.drop_column("completions", "text")
    op.add_column("groups", sa.Column("prompt_key", sa.Integer(), server_default="0", nullable=False))
    connection = op.get_bind()
    for (prompt,) in connection.execute(sa.text("SELECT DISTINCT prompt FROM groups")).fetchall():
        key = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "little", signed=True)
        connection.execute(
            sa.text("UPDATE groups SET prompt_key = :key WHERE prompt = :prompt"), {"key": key, "prompt": prompt}
        )
    op.create_index("ix_groups_prompt_key", "groups", ["prompt_key"])


def _narrow() -> None:
    op.drop_index("completions_run_step", "completions")
    op.drop_index("completions_run_reward", "completions")
    op.add_column("completions", sa.Column("flat", sa.Boolean(), server_default="0", nullable=False))
    for place in range(1, SCORE_COLUMNS + 1):
        op.add_column("completions", sa.Column(f"score_{place}", sa.Float(), nullable=True))
    op.create_table(
        "functions",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("gaps", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "place"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO functions (run, place, name, gaps) "
        "SELECT run, row_number() OVER (PARTITION BY run ORDER BY function), function, 1 "
        "FROM (SELECT DISTINCT c.run, s.function FROM scores s JOIN completions c ON c.id = s.completion)"
    )
    for place in range(1, SCORE_COLUMNS + 1):
        op.execute(
            f"UPDATE completions SET score_{place} = (SELECT s.value FROM scores s JOIN functions f ON "
            f"f.run = completions.run AND f.name = s.function AND f.place = {place} "
            "WHERE s.completion = completions.id)"
        )
    op.execute(
        'UPDATE completions SET flat = 1 WHERE "group" IN '
        '(SELECT "group" FROM completions GROUP BY "group" HAVING ifnull(max(reward) - min(reward), 0) < 1e-9)'
    )
    op.create_index("completions_run", "completions", ["run"])
    for name in ("reward", "length", "advantage"):
        op.create_index(f"completions_{name}", "completions", ["run", name])
    for place in range(1, SCORE_COLUMNS + 1):
        name = f"score_{place}"
        op.create_index(
            f"completions_{name}", "completions", ["run", name], sqlite_where=sa.text(f"{name} IS NOT NULL")
        )


def _said() -> None:
    op.create_table(
        "evidence",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("completion", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["completion"], ["completions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "kind", "completion"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_evidence_completion", "evidence", ["completion"])
    op.create_table(
        "remarks",
        sa.Column("completion", sa.Integer(), nullable=False),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["completion"], ["completions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("completion"),
    )
    op.create_index("ix_remarks_flagged", "remarks", ["flagged"])
    op.create_table(
        "tags",
        sa.Column("completion", sa.Integer(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["completion"], ["completions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("completion", "tag"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tags_tag", "tags", ["tag"])


def _search(index: str, table: str, key: str, columns: tuple[str, ...]) -> None:
    names = ", ".join(columns)
    new = ", ".join(f"new.{name}" for name in (key, *columns))
    old = ", ".join(f"old.{name}" for name in (key, *columns))
    forget = f"INSERT INTO {index} ({index}, rowid, {names}) VALUES ('delete', {old});"
    learn = f"INSERT INTO {index} (rowid, {names}) VALUES ({new});"
    op.execute(
        f"CREATE VIRTUAL TABLE {index} USING fts5({names}, content='{table}', content_rowid='{key}', prefix='2 3')"
    )
    op.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")
    for event, body in (("INSERT", learn), ("DELETE", forget), (f"UPDATE OF {names}", forget + " " + learn)):
        name = f"{index}_{event.split()[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {body} END")
