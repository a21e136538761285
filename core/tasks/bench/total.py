"""The weighted total of a task's rewards under the probes: what training would see."""

from collections.abc import Iterator, Sequence

from core.tasks.bench.findings import HALF, NEARLY, OFTEN, SOUND, false_negatives, false_positives, how_often
from core.tasks.bench.probes import PROBES, UNDERSTANDABLE
from core.tasks.bench.report import Finding, RewardReport, Severity
from core.tasks.bench.sheet import BenchSheet
from core.tasks.sandbox.answers import Outcome

HIGH = 0.8  # of what gold gets: partial credit for the form stays below it


def total_of(sheets: Sequence[BenchSheet]) -> BenchSheet:
    """Weights times scores, of the rewards that apply to a text; none where no reward does."""
    texts = sheets[0].texts

    def added(row: int, probe: str) -> Outcome:
        scores = ((sheet.weight, sheet.value(row, probe)) for sheet in sheets)
        found = [weight * value for weight, value in scores if value is not None]
        return Outcome(sum(found) if found else None)

    totals = [{probe: added(row, probe) for probe in found} for row, found in enumerate(texts)]
    return BenchSheet("", sum(sheet.weight for sheet in sheets), texts, totals, totals)


def report_on_total(sheet: BenchSheet, rewards: Sequence[RewardReport]) -> RewardReport:
    found = [*_findings(sheet, rewards)]
    if not found:
        found.append(Finding("sound", "", SOUND["task"]))
    positives = false_positives(sheet, HIGH)
    return RewardReport("", sheet.weight, "task", sheet.means, positives, false_negatives(sheet), tuple(found))


def _findings(sheet: BenchSheet, rewards: Sequence[RewardReport]) -> Iterator[Finding]:
    if "gold" not in sheet.means:
        yield Finding("warning", "", "The task has no gold answers, so what right answers get was not tried.")
        return
    if not any(report.role == "answer" for report in rewards):
        says = "No reward reads the answer: any row's answer gets what its own gets, so only the form can be learned."
        yield Finding("flaw", "", says)
        return
    yield from _gold(sheet)
    yield from _wrong(sheet)


def _gold(sheet: BenchSheet) -> Iterator[Finding]:
    if sheet.best <= 0:
        yield Finding("flaw", "", "No text gets more than 0, the gold answers neither.")
        return
    rows, asked = sheet.below("gold", NEARLY)
    if rows:
        value = sheet.value(rows[0], "gold")
        says = f"The gold answer gets {value:.2g} in {len(rows)} of {asked} rows, where {sheet.best:.2g} is the best."
        severity: Severity = "flaw" if len(rows) >= OFTEN * asked else "warning"
        yield Finding(severity, "", says, rows[0], sheet.texts[rows[0]]["gold"])


def _wrong(sheet: BenchSheet) -> Iterator[Finding]:
    gold = sheet.means["gold"] or 0.0
    for probe in PROBES:
        if probe.kind != "wrong":
            continue
        rows, asked = sheet.taken_for_right(probe.name, HIGH)
        severity, mean = how_often(len(rows), asked), sheet.means.get(probe.name)
        if severity is not None:
            mild = probe.name in UNDERSTANDABLE
            where = f"in {len(rows)} of {asked} rows {HIGH:.0%} of gold's or more"
            says = f"A wrong text gets a high score: {probe.says}, {where}."
            yield Finding("warning" if mild else severity, "", says, rows[0], sheet.texts[rows[0]][probe.name])
        elif mean is not None and gold > 0 and mean >= HALF * gold:
            says = f"A wrong text gets much: {probe.says}, {mean:.2g} where the gold answer gets {gold:.2g}."
            row = sheet.values(probe.name)[0][0]
            yield Finding("warning", "", says, row, sheet.texts[row][probe.name])
