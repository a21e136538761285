"""`python -m webui` is the dashboard: settings, services, pages, served until interrupted."""

import sys

from core.errors import GrouperError
from core.settings import load_settings
from webui.app import serve
from webui.services import open_services


def main() -> int:
    """0 after an interrupt; 2 with one sentence on stderr when it cannot start."""
    try:
        serve(open_services(load_settings()))
    except GrouperError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
