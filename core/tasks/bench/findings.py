"""What a reward's scores under the probes say about it, in sentences."""

from collections import Counter
from collections.abc import Iterator

from core.tasks.bench.probes import PROBES, UNDERSTANDABLE
from core.tasks.bench.report import Finding, RewardReport, Role, Severity
from core.tasks.bench.sheet import BenchSheet

HALF, NEARLY = 0.5, 0.9  # of what gold scores; of the best score
# Shares of rows. A single row may be chance: another row's answer can be right as well.
OFTEN, SOMETIMES = 0.1, 0.03
SAME = 0.05  # scores that differ by less of the best one are alike
FORM_ROWS = 0.95


def report_on(sheet: BenchSheet) -> RewardReport:
    """A reward's figures and findings; one that is sound says that."""
    role = role_of(sheet)
    found = [*_answers(sheet), *_repeats(sheet), *_by_role(sheet, role)]
    if not any(finding.severity != "sound" for finding in found):
        found.append(Finding("sound", sheet.name, SOUND[role]))
    return RewardReport(
        sheet.name, sheet.weight, role, sheet.means, false_positives(sheet), false_negatives(sheet), tuple(found)
    )


SOUND: dict[Role, str] = {
    "answer": "Right answers score, and no other text that was tried does.",
    "form": "It scores the form: every row's gold answer scores as any other's. Something else must read the answer.",
    "penalty": "It is a penalty, and the gold answers are spared.",
    "constant": "It never gave another score here.",
    "task": "Right answers score well more than any other text that was tried.",
}


def role_of(sheet: BenchSheet) -> Role:
    values = [value for _, _, value in sheet.every]
    if values and (sheet.top is not None or min(values) < 0) and max(values) <= 0 and (sheet.top or 0.0) <= 0:
        return "penalty"
    if values and max(values) - min(values) < 1e-9:
        return "constant"
    golds, others = dict(sheet.values("gold")), dict(sheet.values("other gold"))
    both = [row for row in others if row in golds]
    alike = [row for row in both if abs(golds[row] - others[row]) <= SAME * abs(sheet.best)]
    scores = any(value > 0 for value in golds.values())
    return "form" if len(both) > 1 and scores and len(alike) >= FORM_ROWS * len(both) else "answer"


def false_positives(sheet: BenchSheet, share: float = HALF) -> dict[str, float]:
    found = {probe.name: sheet.taken_for_right(probe.name, share) for probe in PROBES if probe.kind == "wrong"}
    return {name: len(rows) / asked for name, (rows, asked) in found.items() if asked}


def false_negatives(sheet: BenchSheet) -> dict[str, float]:
    kinds = ("right", "harmless")
    found = {probe.name: sheet.below(probe.name, NEARLY) for probe in PROBES if probe.kind in kinds}
    return {name: len(rows) / asked for name, (rows, asked) in found.items() if asked}


def how_often(rows: int, asked: int) -> Severity | None:
    """What it means that a wrong text scored in so many rows; None: it may be chance."""
    if not rows or (rows == 1 and asked > 1):
        return None
    share = rows / asked
    return "flaw" if share >= OFTEN else "warning" if share >= SOMETIMES else None


def _answers(sheet: BenchSheet) -> Iterator[Finding]:
    """Texts without a score."""
    every = [(row, probe, outcome) for row in sheet.rows for probe, outcome in sheet.first[row].items()]
    failed = [(row, probe, outcome.error) for row, probe, outcome in every if outcome.error is not None]
    if failed:
        most = Counter(error for _, _, error in failed).most_common(1)[0][0]
        says = f"{len(failed)} of {len(every)} texts could not be scored, most of them for this reason: {most}."
        row, probe = next((at, name) for at, name, error in failed if error == most)
        yield Finding("flaw", sheet.name, says, row, sheet.texts[row][probe])
    elif every and not sheet.every:
        yield Finding("flaw", sheet.name, "It applied to no text at all, so it would never count.")


def _repeats(sheet: BenchSheet) -> Iterator[Finding]:
    """Whether the same text scores the same when it is asked about again."""
    pairs = [
        (row, probe, outcome.value, sheet.again[row][probe].value)
        for row in sheet.rows
        for probe, outcome in sheet.first[row].items()
    ]
    apart = [(row, probe, old, new) for row, probe, old, new in pairs if old != new]
    if not apart:
        return
    row, probe, old, new = max(apart, key=lambda found: abs((found[2] or 0.0) - (found[3] or 0.0)))
    large = old is None or new is None or abs(old - new) > SAME * max(abs(sheet.best), 1e-9)
    says = f"Asked twice, it said something else of {len(apart)} of {len(pairs)} texts: of one {old} and then {new}."
    yield Finding("flaw" if large else "warning", sheet.name, says, row, sheet.texts[row][probe])


def _by_role(sheet: BenchSheet, role: Role) -> Iterator[Finding]:
    if role == "constant":
        yield from _constant(sheet)
    elif role == "penalty":
        yield from _penalty(sheet)
    else:
        yield from _gold(sheet)
        yield from _changed(sheet, role)
        if role == "answer":
            yield from _wrong(sheet)


def _constant(sheet: BenchSheet) -> Iterator[Finding]:
    row, probe, value = sheet.every[0]
    what = "It gave 0 to every text, the gold answers too." if value == 0 else f"It gave {value:g} to every text."
    yield Finding("flaw", sheet.name, f"{what} Nothing can be learned from it.", row, sheet.texts[row][probe])


def _penalty(sheet: BenchSheet) -> Iterator[Finding]:
    punished = [row for row, value in sheet.values("gold") if value < -SAME]
    if punished:
        says = f"It is a penalty, and it punishes the gold answer in {_share(len(punished), len(sheet.rows))}."
        yield Finding("warning", sheet.name, says, punished[0], sheet.texts[punished[0]]["gold"])


def _gold(sheet: BenchSheet) -> Iterator[Finding]:
    if "gold" not in sheet.means:
        says = "The task has no gold answers, so whether right answers score was not tried."
        yield Finding("warning", sheet.name, says)
        return
    rows, asked = sheet.below("gold", NEARLY)
    if rows:
        value = sheet.value(rows[0], "gold")
        says = f"The gold answer does not score in {_share(len(rows), asked)}: it gets {value:.2g} of {sheet.best:g}."
        severity: Severity = "flaw" if len(rows) >= OFTEN * asked else "warning"
        yield Finding(severity, sheet.name, says, rows[0], sheet.texts[rows[0]]["gold"])


def _changed(sheet: BenchSheet, role: Role) -> Iterator[Finding]:
    """Gold answers that lose by a change that should not matter, or by a sentence around them."""
    for probe in PROBES:
        if probe.kind not in ("harmless", "around"):
            continue
        golds = {row for row, value in sheet.values("gold") if value >= NEARLY * sheet.best}
        lost = [row for row in sheet.below(probe.name, NEARLY)[0] if row in golds]
        if not lost:
            continue
        # Where tags mark the answer, thinking before it should cost nothing; a form may be asked for to the letter.
        tagged = role == "answer" and "</" in sheet.texts[lost[0]]["gold"]
        minds = probe.kind == "harmless" or (probe.name == "sentence before" and tagged)
        says = f"It minds {probe.says}: the score falls in {_share(len(lost), len(golds))}."
        yield Finding("warning" if minds else "sound", sheet.name, says, lost[0], sheet.texts[lost[0]][probe.name])


def _wrong(sheet: BenchSheet) -> Iterator[Finding]:
    for probe in PROBES:
        if probe.kind != "wrong":
            continue
        rows, asked = sheet.taken_for_right(probe.name, HALF)
        severity = how_often(len(rows), asked)
        if severity is not None:
            mild = probe.name in UNDERSTANDABLE
            says = f"It scores {probe.says}: in {_share(len(rows), asked)} at least half of what the gold answer has."
            yield Finding("warning" if mild else severity, sheet.name, says, rows[0], sheet.texts[rows[0]][probe.name])


def _share(rows: int, asked: int) -> str:
    return f"{rows} of {asked} rows"
