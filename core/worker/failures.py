"""From an exception to what a person can act on."""

import errno
import traceback

from core.errors import GrouperError, InvalidInput, RunError, StoreError
from core.insights.known_failures import KnownFailure, known_failure, recognise
from core.records.run import Failure

LONGEST_DETAILS = 20_000
# Errors of ours that wrap whatever really happened; a cause that is recognised says more.
WRAPPERS = {"engine-start"}


def explain(error: BaseException, phase: str = "") -> Failure:
    """Kind, message and remedy for whatever ended a run in this phase; the traceback goes into the details."""
    details = "".join(traceback.format_exception(error))[-LONGEST_DETAILS:]
    chain = _causes(error)
    for found in (*map(_ours, chain), *(_recognised(cause, phase) for cause in chain), *map(_wrapper, chain)):
        if found is not None:
            return Failure(*found, details=details)
    return Failure(
        kind="unknown",
        message=f"The worker stopped with {_reason(error)}",
        remedy="The cause is not one that is known here; the details below hold the traceback.",
        details=details,
    )


def _ours(error: BaseException) -> tuple[str, str, str] | None:
    """Errors that already say what to do."""
    if isinstance(error, RunError) and error.kind not in WRAPPERS:
        return error.kind, error.message, error.remedy
    if isinstance(error, InvalidInput):
        return "invalid-input", f"`{error.field}` is {error.value!r}, {error.problem}.", f"To mend it, {error.remedy}."
    return None


def _recognised(error: BaseException, phase: str) -> tuple[str, str, str] | None:
    """Errors of others that the knowledge file has an explanation for."""
    known = _known(error, phase)
    if known is None:
        return None
    where = f" in phase {phase}" if phase else ""
    return known.kind, f"{known.title}{where}. {known.cause} ({_reason(error)})", known.advise()


def _known(error: BaseException, phase: str) -> KnownFailure | None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return known_failure("disk-full")
    if isinstance(error, GrouperError) and not isinstance(error, (StoreError, RunError)):
        return None
    return recognise(f"{type(error).__name__}: {error}", phase)


def _wrapper(error: BaseException) -> tuple[str, str, str] | None:
    """What is left: an engine that did not start for a reason nobody knows, the store, an interrupt."""
    if isinstance(error, RunError):
        return error.kind, error.message, error.remedy
    if isinstance(error, StoreError):
        return "store", str(error), "What was recorded before is safe."
    if isinstance(error, GrouperError):
        return "error", str(error), ""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return "interrupted", "The worker was interrupted.", "Launch the run again to start over."
    return None


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return (f"{type(error).__name__}: {text[0]}" if text else type(error).__name__)[:300]


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from, the outermost first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain
