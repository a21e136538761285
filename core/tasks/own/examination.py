"""What can be said of a task before anything is trained: its rows, and whether the prompt asks for what is rewarded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.tasks.data.check import Report, reports
from core.tasks.data.rows import Progress
from core.tasks.own.build import OwnTask
from core.tasks.rewards.library import library_reward


@dataclass(frozen=True)
class Examination:
    """What is known so far.

    report    of the rows
    notes     what was guessed or left out when the data was opened
    warnings  about prompt and rewards, one sentence each
    held_out  rows for evaluation
    """

    report: Report
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    held_out: int

    @property
    def usable(self) -> int:
        return self.report.rows - self.report.bad_rows


def examine(own: OwnTask, *, limit: int | None = None, progress: Progress | None = None) -> Iterator[Examination]:
    """What is known after the first 1,000 rows, then after ever more of them, at last after all (or `limit`).

    Raises InvalidInput for parts that do not fit together.
    """
    own.task()  # every sentence about a column or an option comes before the first row is counted
    warnings = tuple(unasked(own))
    evaluation = own.evaluation_table
    split = None if evaluation or limit is not None else own.split
    for report in reports(own.table, own.rules, limit=limit, split=split, evaluation=evaluation, progress=progress):
        held_out = len(evaluation) if evaluation and report.whole else split.hold_out if split else 0
        yield Examination(report, own.table.notes, warnings, held_out)


def unasked(own: OwnTask) -> Iterator[str]:
    """Sentences about what a reward looks for and the prompt does not ask for."""
    first = next(iter(own.table.first(50)), None)
    if first is None:
        return
    said = "\n".join(message["content"] for message in own.example(first).prompt)
    for part in own.spec.reward:
        for wanted in library_reward(part.use, part.options).looks_for if part.use else ():
            if wanted not in said:
                yield f"Reward {part.title} looks for {wanted}, and the prompt does not mention it."


def report_lines(found: Examination) -> list[str]:
    """An examination as lines of text."""
    report = found.report
    lines = [f"{report.rows:,} rows{'' if report.whole else ' so far'}, {found.usable:,} of them can be used."]
    lines += found.notes
    for kind, bad in report.bad.items():
        lines.append(f"{bad.count:,} bad: {kind}")
        lines += [f"  {example}" for example in bad.examples]
    counted: Mapping[str, tuple[int, tuple[str, ...]]] = {
        "with the prompt of an earlier row": (report.duplicates, report.duplicate_examples),
        "to train on with a prompt that is one for evaluation too": (report.leaks, report.leak_examples),
    }
    for words, (count, examples) in counted.items():
        if count:
            lines.append(f"{count:,} rows {words}")
            lines += [f"  {example}" for example in examples]
    return [*lines, *(f"! {warning}" for warning in found.warnings)]
