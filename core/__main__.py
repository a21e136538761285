"""`python -m core` is the `grouper` command."""

from core.cli import main

main()
