"""Rewards that cannot score inside the library's own child: what they ask for takes processes or a network.

They are asked about all completions of a step at once, in the worker, and see to it themselves that nothing foreign
runs there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from core.tasks.rewards.reward import LibraryReward
from core.tasks.sandbox.answers import Outcome
from core.tasks.sandbox.levels import Level

if TYPE_CHECKING:  # a child that scores with the library has no use for what starts children
    from core.tasks.sandbox.scorer import Frame


class BatchScorer(Protocol):
    """Scores whole steps; made once for a run, used in one thread."""

    def score(self, frames: "Sequence[Frame]", seconds: float) -> list[Outcome]:
        """An Outcome for each completion, in the frames' order, within about this time; never raises for what one
        completion, its row or a server does.
        """

    def metrics(self) -> Mapping[str, float]:
        """Figures since the last call of this, by name."""

    def close(self) -> None:
        """Ends what it holds. A second call does nothing."""


class Outside(LibraryReward):
    """A reward whose scores come from a `BatchScorer`.

    runs_programs  whether it runs what models wrote, which takes protection
    """

    runs_programs: ClassVar[bool] = False

    def scorer(self, level: Level, cache: Path, allow_plain: bool = False) -> BatchScorer:
        """What scores with these options.

        level        protection that foreign programs run under
        cache        a folder for what may be used again, in this run and in others; it may be deleted at any time
        allow_plain  consent to run programs without protection
        Raises InvalidInput where it cannot work like this.
        """
        raise NotImplementedError

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        """Never asked in training: `scorer` is."""
        raise NotImplementedError(f"{type(self).__name__} scores whole steps, not one completion")


def spent(seconds: float) -> Outcome:
    """No score, because the time that a step has was over."""
    return Outcome(None, f"the {seconds:.3g} s that a step has for scoring were spent")
