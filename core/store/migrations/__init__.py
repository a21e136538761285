"""How the schema came to be; Alembic runs it from here."""
