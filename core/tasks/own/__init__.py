"""Tasks from a file: what `task.toml` says, and the Task that it makes.

A task is a folder with `task.toml`, at most one Python file and its data. Saved ones lie in the state folder under
`NAME@HASH`, where the hash is of all that decides what they ask and how they score; what is saved never changes.
"""
