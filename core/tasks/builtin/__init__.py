"""The tasks that ship, called recipes where users meet them: one file each, with a gold answer that scores 1.0."""
