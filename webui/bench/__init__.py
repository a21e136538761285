"""How fast the pages answer over many long runs, and what many viewers of one run cost: `grouper bench pages`.

Builds a state folder of its own, or uses the one it left before, starts the dashboard on it the way a user does, and
asks it as a browser would. Prints one JSON document; times are milliseconds.
"""
