"""Which Python files their owner has read and agreed to, by the sha256 of their text."""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from core.errors import InvalidInput
from core.tasks.task import OwnCode, Reward

FILE = "approvals.json"


@dataclass(frozen=True)
class Approval:
    """sha256 of the file's text; unprotected: it may also run where no sandbox protects the machine from it."""

    sha256: str
    at: float
    unprotected: bool = False


def approvals(tasks: Path) -> dict[str, Approval]:
    """Those given so far, by sha256. A file that cannot be read gives none: the owner is asked again."""
    try:
        rows = json.loads((tasks / FILE).read_text(encoding="utf-8"))
        return {row["sha256"]: Approval(**row) for row in rows}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def approve(tasks: Path, sha256: str, unprotected: bool = False) -> None:
    """Notes that the owner has read the text with this hash and lets it score."""
    given = {**approvals(tasks), sha256: Approval(sha256, time.time(), unprotected)}
    tasks.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=tasks, delete=False, encoding="utf-8") as file:
        json.dump([asdict(each) for each in given.values()], file, indent=1)
    os.replace(file.name, tasks / FILE)


def own_codes(rewards: Iterable[Reward]) -> tuple[OwnCode, ...]:
    """The own functions among rewards."""
    return tuple(reward.code for reward in rewards if isinstance(reward.code, OwnCode))


def check_approved(rewards: Iterable[Reward], tasks: Path) -> None:
    """Raises InvalidInput for an own function whose file nobody has agreed to as it is now."""
    given = approvals(tasks)
    for code in own_codes(rewards):
        if code.sha256 not in given:
            problem = f"whose text (sha256 {code.sha256[:12]}) nobody has agreed to run"
            raise InvalidInput("reward.python", code.path.name, problem, "read it, then run `grouper task approve`")


def may_run_unprotected(rewards: Iterable[Reward], tasks: Path) -> bool:
    """Whether the owner has agreed to run each own function without protection, too; False where there is none."""
    given, codes = approvals(tasks), own_codes(rewards)
    return bool(codes) and all(code.sha256 in given and given[code.sha256].unprotected for code in codes)
