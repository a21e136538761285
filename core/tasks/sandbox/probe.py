"""Which protection this machine can give, found by trying it."""

import tempfile

from core.tasks.sandbox.box import Box
from core.tasks.sandbox.failures import BoxFailure
from core.tasks.sandbox.levels import LEVELS, PLAIN, Level, need_consent
from core.tasks.sandbox.sources import Trial

TRIAL_SECONDS = 10.0


def missing(level: Level) -> str:
    """Why this level cannot be had here; empty where it can. A child tries to get out: about 0.1 s."""
    if level == PLAIN:
        return ""
    with tempfile.NamedTemporaryFile(prefix="grouper-canary-") as canary:
        box = Box(Trial(), level, start_seconds=TRIAL_SECONDS)
        try:
            possible = box.call({"do": "attempt", "file": canary.name}, TRIAL_SECONDS)["possible"]
        except BoxFailure as failure:
            return str(failure)
        finally:
            box.close()
    return f"the child can still {', '.join(map(str, possible))}" if possible else ""


def probe() -> Level:
    """The best level that works here, tried now: keep the answer."""
    return next(level for level in LEVELS if not missing(level))


def best_level(allow_plain: bool) -> Level:
    """The same for use. Raises InvalidInput where it is `PLAIN` and nobody agreed to that."""
    level = probe()
    need_consent(level, allow_plain)
    return level
