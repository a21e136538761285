"""The tables as they are now. `migrations/versions` holds how they came to be; a test keeps both equal.

Token data lies apart from the text, so that pages of text stay small: `token_ids` is little-endian int32,
`logprobs` little-endian float32, both (T,): 8 bytes a token.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, index=True),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("request", sa.Text, unique=True),  # the launch this row answers; a double click is one run
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("step", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reward", sa.Float),
    sa.Column("tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("phase", sa.Text, nullable=False, server_default=""),
    sa.Column("phase_started_at", sa.Float),
    sa.Column("heartbeat_at", sa.Float),
    sa.Column("stop_requested_at", sa.Float),
    sa.Column("engine", sa.Text, nullable=False, server_default=""),
    sa.Column("sync", sa.Text),
    sa.Column("adapter_path", sa.Text, nullable=False, server_default=""),
    sa.Column("plan", sa.Text),
    sa.Column("process", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0", index=True),
    sa.Column("facts", sa.Text, nullable=False, server_default="{}"),  # what the run found out about itself
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("queued_at", sa.Float, nullable=False, server_default="0"),  # the queue's order; a person may change it
    sa.Column("tags", sa.Text, nullable=False, server_default="[]"),  # JSON list of texts
    sa.Column("notes", sa.Text, nullable=False, server_default=""),
    sa.Column("archived_at", sa.Float),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("reward", sa.Float),
    sa.Column("tokens", sa.Integer, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Column("seconds", sa.Text, nullable=False),
    sa.Column("memory", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("prompt_token_ids", sa.LargeBinary, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),
    sa.UniqueConstraint("run", "step", "number"),
)

completions = sa.Table(
    "completions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("group", sa.Integer, sa.ForeignKey("groups.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("finish_reason", sa.Text, nullable=False),
    sa.Column("reward", sa.Float),
    sa.Column("advantage", sa.Float, nullable=False),
    sa.Index("completions_run_step", "run", "step"),
    sa.Index("completions_run_reward", "run", "reward"),
)

scores = sa.Table(
    "scores",
    metadata,
    sa.Column("completion", sa.Integer, sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("function", sa.Text, primary_key=True),
    sa.Column("value", sa.Float),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("completion", sa.Integer, sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("token_ids", sa.LargeBinary, nullable=False),
    sa.Column("logprobs", sa.LargeBinary, nullable=False),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("reward", sa.Float),
    sa.Column("at", sa.Float, nullable=False),
)

load_phases = sa.Table(
    "load_phases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("memory_bytes", sa.Integer, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False, server_default=""),
)

presets = sa.Table(
    "presets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("saved_at", sa.Float, nullable=False),
)
