"""What is known to go wrong, from core/data/known_failures.toml: one source for failures, advisories and the doctor."""

import functools
import re
import tomllib
from dataclasses import dataclass

from core import data


@dataclass(frozen=True)
class KnownFailure:
    """One thing that goes wrong: how it shows in an error's text, why it happens, what to do."""

    kind: str
    title: str
    cause: str
    general: str
    remedy: str = ""
    signs: tuple[re.Pattern[str], ...] = ()
    phases: tuple[str, ...] = ()
    classic: bool = False

    def advise(self, **found: object) -> str:
        """The remedy with what was measured in its place; the general one where nothing was."""
        return self.remedy.format(**found) if found and self.remedy else self.general


@functools.cache
def load_known_failures() -> tuple[KnownFailure, ...]:
    """Every failure, in the order in which signs are tried."""
    rows = tomllib.loads((data.FOLDER / "known_failures.toml").read_text(encoding="utf-8"))["known_failure"]
    return tuple(_known_failure(row) for row in rows)


def known_failure(kind: str) -> KnownFailure:
    """The failure of this kind; KeyError when there is none, which is a mistake in the program."""
    return {known.kind: known for known in load_known_failures()}[kind]


def recognise(text: str, phase: str = "") -> KnownFailure | None:
    """The first failure whose signs are in an error's text, when it happened in this phase of a run."""
    for known in load_known_failures():
        if known.phases and phase not in known.phases:
            continue
        if any(sign.search(text) for sign in known.signs):
            return known
    return None


def _known_failure(row: dict[str, object]) -> KnownFailure:
    signs, phases = row.pop("signs", []), row.pop("phases", [])
    assert isinstance(signs, list)
    assert isinstance(phases, list)
    compiled = tuple(re.compile(sign, re.IGNORECASE) for sign in signs)
    return KnownFailure(signs=compiled, phases=tuple(phases), **row)  # type: ignore[arg-type]
