"""Alembic's entry: always runs inside the connection and transaction that `core.store.database` opened."""

from alembic import context

from core.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
