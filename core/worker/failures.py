"""From an exception to what a person can act on."""

import errno
import traceback

from core.errors import GrouperError, InvalidInput, RunError, StoreError
from core.runs import Failure

LONGEST_DETAILS = 20_000


def explain(error: BaseException) -> Failure:
    """Kind, message and remedy for whatever ended a run; the traceback goes into the details."""
    details = "".join(traceback.format_exception(error))[-LONGEST_DETAILS:]
    for cause in _causes(error):
        known = _known(cause)
        if known is not None:
            return Failure(*known, details=details)
    text = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    return Failure(
        kind="unknown",
        message=f"The worker stopped with {reason[:300]}",
        remedy="The cause is not one that is known here; the details below hold the traceback.",
        details=details,
    )


def _known(error: BaseException) -> tuple[str, str, str] | None:
    if isinstance(error, RunError):
        return error.kind, error.message, error.remedy
    if isinstance(error, InvalidInput):
        return "invalid-input", f"`{error.field}` is {error.value!r}, {error.problem}.", f"To mend it, {error.remedy}."
    if isinstance(error, StoreError):
        return "store", str(error), "What was recorded before is safe."
    if isinstance(error, GrouperError):
        return "error", str(error), ""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return (
            "disk-full",
            "The disk is full.",
            "Free some space or set GROUPER_HOME to another disk, then launch again.",
        )
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return (
            "out-of-memory",
            "Memory ran out.",
            "Lower per_device_train_batch_size, group_size, completion_tokens or gpu_memory_utilization.",
        )
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return "interrupted", "The worker was interrupted.", "Launch the run again to start over."
    return None


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from, the outermost first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain
