"""What the bench found out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.tasks.bench.earlier import Change

Severity = Literal["flaw", "warning", "sound"]
SEVERITIES: tuple[Severity, ...] = ("flaw", "warning", "sound")
# answer: it holds a completion against its row. form: any row's gold scores as the row's own does. penalty: never above
# zero. constant: the same for every text. task: the weighted total.
Role = Literal["answer", "form", "penalty", "constant", "task"]


@dataclass(frozen=True)
class Finding:
    """A plain sentence about a reward, or about the whole task where `reward` is empty.

    row, text  the example and the completion that show it; None and "" where none does
    """

    severity: Severity
    reward: str
    says: str
    row: int | None = None
    text: str = ""


@dataclass(frozen=True)
class RewardReport:
    """A reward, or the weighted total, under all probes.

    means            probe -> mean score; None where it never scored
    false_positives  probe that should not score -> share of rows in which it has at least half of what gold has
    false_negatives  gold and its harmless changes -> share of rows that score below 0.9 of the best score
    """

    name: str
    weight: float
    role: Role
    means: Mapping[str, float | None]
    false_positives: Mapping[str, float]
    false_negatives: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Severity:
        """The worst of the findings."""
        return worst(self.findings)


@dataclass(frozen=True)
class BenchReport:
    """All rewards of a task and their weighted total.

    rows        examples that were tried
    texts       completions that were scored, once
    per_second  completions scored a second, by all rewards together, once everything was loaded
    earlier     what the rewards say of completions of earlier runs, against what was stored
    """

    task: str
    rows: int
    texts: int
    per_second: float
    rewards: tuple[RewardReport, ...]
    total: RewardReport
    earlier: tuple[Change, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the worst first."""
        found = [finding for report in (self.total, *self.rewards) for finding in report.findings]
        found += [Finding("warning", change.reward, change.sentence) for change in self.earlier if change.changed]
        return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))

    @property
    def verdict(self) -> Severity:
        return worst(self.findings)


def worst(findings: tuple[Finding, ...]) -> Severity:
    return min((finding.severity for finding in findings), key=SEVERITIES.index, default="sound")
