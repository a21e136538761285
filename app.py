"""Starts the dashboard: `python app.py`, here or as a Hugging Face Space."""

import sys

from core.errors import GrouperError
from core.settings import load_settings
from webui.app import serve
from webui.services import open_services


def main() -> int:
    try:
        serve(open_services(load_settings()))
    except GrouperError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the only place this process has to say it
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
