"""`python -m core` is the `grouper` command."""

from core.cli.main import main

main()
