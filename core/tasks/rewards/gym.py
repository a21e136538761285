"""Answers to reasoning-gym's questions, scored by the family of questions that asked."""

import json
import math
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any

from pydantic import Field

from core.tasks.rewards.packages import imported
from core.tasks.rewards.reward import Tagged

REASONING_GYM: Mapping[str, str] = {"reasoning_gym": "gym"}
JUNK = 0.05
# What cellpylib imports at its top, to draw with: modules, and a name of one.
PLOTS = (
    "matplotlib",
    "matplotlib.animation",
    "matplotlib.collections",
    "matplotlib.pyplot",
    "mpl_toolkits",
    "mpl_toolkits.mplot3d",
)
PLOTTED = {"Axes3D": None}
IMPORTING = threading.Lock()


class ReasoningGym(Tagged):
    """What the family's own `score_answer` says: 1 for the right answer, and in some families less for a near one.

    Several families give 0.01 or 0.05 to any text at all. So that silence earns nothing, 0.05 and less count as 0.
    """

    about = "What reasoning-gym says of the tagged answer; 0.05 and less, which some families give to anything, is 0."
    source = "reasoning-gym 0.1.25 (score_answer)"
    packages = REASONING_GYM
    inside: str = Field("answer", pattern=r"^[A-Za-z][\w-]{0,31}$|^$", description="Tag that the answer stands in.")

    @property
    def columns(self) -> tuple[str, ...]:
        return ("entry", "family", "settings")

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        """Raises InvalidInput without the package."""
        given = self.given(text)
        if given is None:
            return 0.0
        questions = gym_questions(fields["family"], json.dumps(fields["settings"], sort_keys=True))
        try:
            score = float(questions.score_answer(given, fields["entry"]))
        except Exception:  # families read an answer as numbers or code; what they cannot read is wrong
            return 0.0
        return min(score, 1.0) if math.isfinite(score) and score > JUNK else 0.0


def gym_module() -> Any:
    """The package reasoning_gym. Raises InvalidInput, naming the extra, where it is not installed."""
    with IMPORTING:
        if "reasoning_gym" not in sys.modules:
            # Warnings about the code of packages that it brings are nobody's concern here.
            with _without_plots(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return imported("reasoning_gym", "gym")
        return imported("reasoning_gym", "gym")


@lru_cache(maxsize=64)
def gym_questions(family: str, settings: str) -> Any:
    """A family with these settings, JSON, to score with. Raises whatever the family raises of its settings."""
    return gym_module().create_dataset(family, seed=0, size=1, **json.loads(settings))


@contextmanager
def _without_plots() -> Iterator[None]:
    """Empty modules in matplotlib's place while cellpylib is imported, which could draw and is not asked to.

    matplotlib takes a second and wants a folder to write to, which a child that scores does not have.
    """
    if "matplotlib" in sys.modules or "mpl_toolkits" in sys.modules:
        yield
        return
    for name in PLOTS:
        sys.modules[name] = module = ModuleType(name)
        vars(module).update(PLOTTED)
    try:
        yield
    finally:
        for name in PLOTS:
            del sys.modules[name]
