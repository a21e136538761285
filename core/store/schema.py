"""The tables as they are now. `migrations/versions` holds how they came to be; a test keeps both equal.

A completion is three rows. `completions` holds what people filter and sort by and stays narrow, so that a million of
them can be looked through in a moment; `texts` holds what was said, with a full-text index beside it; `tokens` holds
what was sampled, packed as `core.store.token_codec` says.
"""

import sqlalchemy as sa

metadata = sa.MetaData()
SCORE_COLUMNS = 8  # reward functions of a run that can be filtered and sorted by; all of them are kept in `scores`

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
    sa.Column("prompt_key", sa.Integer, nullable=False, server_default="0", index=True),  # equal for equal prompts
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
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("finish_reason", sa.Text, nullable=False),
    sa.Column("reward", sa.Float),
    sa.Column("advantage", sa.Float, nullable=False),
    sa.Column("flat", sa.Boolean(create_constraint=False), nullable=False),  # all of its group had the same reward
    *(sa.Column(f"score_{place}", sa.Float) for place in range(1, SCORE_COLUMNS + 1)),
    sa.Index("completions_run", "run"),
    sa.Index("completions_reward", "run", "reward"),
    sa.Index("completions_length", "run", "length"),
    sa.Index("completions_advantage", "run", "advantage"),
)
for place in range(1, SCORE_COLUMNS + 1):
    column = completions.c[f"score_{place}"]
    sa.Index(f"completions_score_{place}", completions.c.run, column, sqlite_where=column.is_not(None))

# The columns of `completions` packed in stretches, up to the completion `upto`; `core.store.columnar` says why and how.
blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("upto", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("low", sa.Float),
    sa.Column("high", sa.Float),
    sa.Column("packed", sa.LargeBinary, nullable=False),
)

texts = sa.Table(
    "texts",
    metadata,
    sa.Column("completion", sa.Integer, sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)

# Which score column holds which reward function, by run; `gaps` says that some completion has no score of it.
functions = sa.Table(
    "functions",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("gaps", sa.Boolean(create_constraint=False), nullable=False),
    sqlite_with_rowid=False,
)

# Full-text indices over `texts` and `groups`, kept in step by triggers (migration 0005). Not part of `metadata`: SQLite
# keeps them in tables of its own.
answers_search = sa.table("answers_search", sa.column("rowid", sa.Integer))
prompts_search = sa.table("prompts_search", sa.column("rowid", sa.Integer))

# What a look at each step found worth a person's eye; `detail` says why.
evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("run", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column(
        "completion",
        sa.Integer,
        sa.ForeignKey("completions.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    sa.Column("detail", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# What people said about a completion.
remarks = sa.Table(
    "remarks",
    metadata,
    sa.Column("completion", sa.Integer, sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("flagged", sa.Boolean(create_constraint=False), nullable=False, index=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("completion", sa.Integer, sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True, index=True),
    sqlite_with_rowid=False,
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

# What reward functions said of a completion beside its scores, where they said something.
extras = sa.Table(
    "extras",
    metadata,
    sa.Column("completion", sa.Integer, sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("said", sa.Text, nullable=False),  # JSON: name -> value
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("completion", sa.Integer, sa.ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("token_ids", sa.LargeBinary, nullable=False),
    sa.Column("logprobs", sa.LargeBinary, nullable=False),
    sa.Column("trainer_logprobs", sa.LargeBinary),  # NULL where the trainer did not score the completion
    sa.Column("entropies", sa.LargeBinary),
)

# The fixed prompts that a run is asked again and again, and its greedy answers to them; no part of training.
questions = sa.Table(
    "questions",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("finish_reason", sa.Text, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("reward", sa.Float),
    sa.Column("scores", sa.Text, nullable=False),  # JSON: function -> {value, error}
    sqlite_with_rowid=False,
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
