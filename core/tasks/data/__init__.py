"""A task's data: rows by number out of files of any size, in an order that a seed decides.

Reads JSONL, CSV and Parquet itself, in bounded memory, whatever is in them: a row that cannot be read is a `BadRow`
that names its line, never a crash and never a row that is silently something else. Runs no code that comes with data.
"""

from core.tasks.data.columns import Column
from core.tasks.data.hub_answers import Hub
from core.tasks.data.opening import open_table
from core.tasks.data.rows import BadRow, Json, Progress, Row
from core.tasks.data.source import DataSource
from core.tasks.data.table import Table

__all__ = ["BadRow", "Column", "DataSource", "Hub", "Json", "Progress", "Row", "Table", "open_table"]
