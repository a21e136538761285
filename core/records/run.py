"""A run as readers get it, and what happened to it.

Times are seconds since 1970 (UTC) as floats; memory is bytes; durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.config import RunConfig
from core.errors import Unreadable
from core.processes import Process
from core.records.status import RunStatus


@dataclass(frozen=True)
class Failure:
    """Why a run ended early: a kind for programs, a message and a remedy for people, the traceback for the curious."""

    kind: str
    message: str
    remedy: str
    details: str = ""


@dataclass(frozen=True)
class PlannedMemory:
    """A run's memory plan as it was when the run was launched, in bytes."""

    capacity: int
    phases: Mapping[str, int]


SYNC_NAMES = {"merged": "merged push", "slot": "adapter slot", "in place": "none needed"}


@dataclass(frozen=True)
class SyncChoice:
    """How the adapter reaches the engine, and by what that was decided.

    reason         why this way, where nobody asked for it
    sync_seconds   seconds of one sync, for each way that an early version measured
    token_seconds  seconds of sync and sampling together for one sampled token, likewise
    """

    way: str
    sync_seconds: Mapping[str, float] = field(default_factory=dict)
    token_seconds: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def sentence(self) -> str:
        """For example: merged push, 0.38 s and 1.2 ms a token (adapter slot: 2.1 s and 4.0 ms a token)."""
        if not self.token_seconds:
            return self.name + (f": {self.reason}" if self.reason else "")
        others = [f"{SYNC_NAMES.get(way, way)}: {self._figures(way)}" for way in self.token_seconds if way != self.way]
        return f"{self.name}, {self._figures(self.way)} ({'; '.join(others)})"

    @property
    def name(self) -> str:
        """In words; a way that only another version knows is called what that version calls it."""
        return SYNC_NAMES.get(self.way, self.way)

    def _figures(self, way: str) -> str:
        return f"{self.sync_seconds[way]:.2g} s and {1000 * self.token_seconds[way]:.2g} ms a token"


@dataclass(frozen=True)
class UnreadableRow:
    """A run that another version stored in a form which this one does not know: why, what to do, and what is there.

    raw  column -> the stored text
    """

    problem: str
    remedy: str
    raw: Mapping[str, str]

    def error(self) -> Unreadable:
        return Unreadable(self.problem, self.remedy)


@dataclass(frozen=True)
class Run:
    """One run as last stored. `step` is the last step recorded; `phase` is what the worker is doing now.

    stored   its config; or, where this version cannot read what is stored, why, with the raw text. Such a run is listed
             and can be deleted, its completions can be read, and nothing starts, resumes or clones it
    attempt  counts how often it was queued: 1 at first, more when it was resumed
    facts    what the run found out about itself: whether groups are packed and why, the hash of its base weights
    tags     words people gave it, in alphabetical order; notes are theirs too
    """

    id: str
    name: str
    status: RunStatus
    stored: "RunConfig | UnreadableRow"
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    step: int = 0
    reward: float | None = None
    tokens: int = 0
    phase: str = ""
    phase_started_at: float | None = None
    heartbeat_at: float | None = None
    stop_requested_at: float | None = None
    engine: str = ""
    sync: SyncChoice | None = None
    adapter_path: str = ""
    plan: PlannedMemory | None = None
    process: Process | None = None
    failure: Failure | None = None
    revision: int = 0
    attempt: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    notes: str = ""
    archived_at: float | None = None

    @property
    def config(self) -> RunConfig:
        """What decided the run. Raises Unreadable where this version does not understand it."""
        if isinstance(self.stored, UnreadableRow):
            raise self.stored.error()
        return self.stored

    def must_be_readable(self) -> None:
        """Raises Unreadable for a run that would lose something if this version wrote what it could not read."""
        if isinstance(self.stored, UnreadableRow):
            raise self.stored.error()

    @property
    def unreadable(self) -> "UnreadableRow | None":
        """Why this version cannot read the run, None for one that it can."""
        return self.stored if isinstance(self.stored, UnreadableRow) else None


@dataclass(frozen=True)
class Preset:
    """Settings kept by name, to launch from again."""

    name: str
    config: RunConfig
    saved_at: float


@dataclass(frozen=True)
class Checkpoint:
    step: int
    path: str
    sha256: str
    reward: float | None
    at: float


@dataclass(frozen=True)
class Event:
    """Something that happened to a run, with who asked for it ("worker", "page", "command line", "supervisor")."""

    at: float
    kind: str
    message: str
    who: str = ""


@dataclass(frozen=True)
class LoadPhase:
    """How long one phase of loading took and what the process then held."""

    name: str
    seconds: float
    memory_bytes: int = 0


@dataclass(frozen=True)
class Summary:
    """A run in figures, for the command line and the end of a demo."""

    run: Run
    completions: int
    reward_first: float | None
    reward_last: float | None
    wall_seconds: float
    tokens_per_second: float
    phase_seconds: Mapping[str, float] = field(default_factory=dict)
