"""The tasks that ship, called recipes where users meet them: a task file each, and the functions that make examples."""
