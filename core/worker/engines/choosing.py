"""Which way the adapter takes to the engine: each is used for one step, the faster stays."""

from collections.abc import Sequence

from core.runs import SyncChoice


class SyncChooser:
    """Goes through an engine's ways, a step each, and settles on the fastest.

    What counts is a step's sync and sampling together, per sampled token: a slot fills quickly and slows every token.
    """

    def __init__(self, ways: Sequence[str], reason: str = "") -> None:
        self._left = list(ways) if len(ways) > 1 else []
        self._sync: dict[str, float] = {}
        self._token: dict[str, float] = {}
        self.choice = None if self._left else SyncChoice(ways[0], reason=reason)

    @property
    def way(self) -> str:
        """What the next step should use."""
        return self.choice.way if self.choice else self._left[0]

    def note(self, sync_seconds: float, generate_seconds: float, tokens: int) -> None:
        """What the step that used `way` took."""
        if self.choice:
            return
        way = self._left.pop(0)
        self._sync[way] = sync_seconds
        self._token[way] = (sync_seconds + generate_seconds) / max(1, tokens)
        if not self._left:
            fastest = min(self._token, key=lambda name: self._token[name])
            self.choice = SyncChoice(fastest, dict(self._sync), dict(self._token))
