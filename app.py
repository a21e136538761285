"""Starts the dashboard: `python app.py`, here or as a Hugging Face Space. An installed Grouper has `grouper ui`."""

import sys

from webui.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
