"""Making the built-in model ready before anybody asks for it."""

import logging
import subprocess
import sys

from core.catalogue import Catalogue
from core.errors import GrouperError
from core.installation import stack_report
from core.settings import PROJECT, Settings, worker_environment

log = logging.getLogger(__name__)


def prepare_builtin(settings: Settings, catalogue: Catalogue) -> None:
    """Converts what is missing, in a process of its own: this one never loads torch. Returns at once when all is there.

    Raises GrouperError when the conversion fails.
    """
    aliases = [model.alias for model in catalogue.models if model.builtin is not None]
    ready = all((settings.models / alias).is_dir() for alias in aliases) and not [*settings.models.glob("*.partial")]
    if ready or not stack_report().can_train:
        return
    command = [sys.executable, "-m", "core.worker.prepare"]
    ended = subprocess.run(command, cwd=PROJECT, env=worker_environment(settings), stdin=subprocess.DEVNULL)
    if ended.returncode != 0:
        raise GrouperError("The built-in model could not be converted; the lines above say why.")
