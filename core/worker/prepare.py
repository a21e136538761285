"""`python -m core.worker.prepare`: converts the built-in models of the catalogue into the state folder."""

import logging

from core.catalogue import load_catalogue
from core.settings import load_settings


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    from core.worker.loading.builtin import convert_builtin

    settings = load_settings()
    for model in load_catalogue().models:
        if model.builtin is not None:
            convert_builtin(model.builtin, settings.models / model.alias)


if __name__ == "__main__":
    main()
