"""A run's statuses and the moves between them.

queued -> starting -> running -> completed
   |         |           |-----> stopping -> stopped
   |         |           `-----> failed | lost
   |         `-> stopping | failed | lost
   `-> cancelled | failed

stopped, completed, cancelled, failed, lost -> queued: resumed, as a new attempt of the same run
"""

from collections.abc import Mapping
from enum import StrEnum


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
ACTIVE = frozenset({RunStatus.STARTING, RunStatus.RUNNING, RunStatus.STOPPING})
