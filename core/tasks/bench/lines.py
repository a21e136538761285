"""The bench's report as lines for a terminal."""

from collections.abc import Iterator

from core.errors import shown
from core.tasks.bench.probes import PROBES
from core.tasks.bench.report import BenchReport, Finding

LONGEST = 160  # characters of a text that shows a finding


def as_lines(report: BenchReport) -> list[str]:
    """What was tried, a table of mean scores, and the findings, the worst first."""
    head = f"{report.task}: {report.rows} rows, {report.texts:,} texts, {report.per_second:,.0f} scored a second."
    return [head, "", *_table(report), "", *(line for finding in report.findings for line in _finding(finding))]


def _table(report: BenchReport) -> Iterator[str]:
    columns = [*report.rewards, report.total]
    heads = [*(reward.name for reward in report.rewards), "total"]
    widths = [max(8, len(head)) for head in heads]
    asked = [probe.name for probe in PROBES if probe.name in report.total.means]
    first = max((len(name) for name in asked), default=0)
    yield "  ".join([" " * first, *(head.rjust(width) for head, width in zip(heads, widths, strict=True))])
    for name in asked:
        means = [column.means.get(name) for column in columns]
        cells = ["-" if mean is None else f"{mean:.2f}" for mean in means]
        yield "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])


def _finding(finding: Finding) -> Iterator[str]:
    whose = f"{finding.reward}: " if finding.reward else ""
    yield f"{finding.severity:<8} {whose}{finding.says}"
    if finding.row is not None:
        yield f"         row {finding.row}: {shown(finding.text, LONGEST)}"
