"""One step of the schema a file. What was released is never edited."""
