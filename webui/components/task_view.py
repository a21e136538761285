"""A task as people read it: its columns, a prompt as messages and as tokens, what was found out about its rows."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from core.jobs.trying import PromptTokens
from core.records.trial import Trial
from core.tasks.bench import BenchReport, Finding, RewardReport
from core.tasks.bench.probes import PROBES, Probe
from core.tasks.data import Column
from core.tasks.data.roles import RoleGuess
from core.tasks.own.examination import Examination
from core.tasks.sandbox.levels import Level
from core.tasks.task import Message, Reward
from core.tasks.template import written
from core.units import duration, plural, significant, thin
from webui.components.completions import group_view
from webui.present import definitions, esc, folded, marked, own, panel, sentence
from webui.present import reward as reward_text

BARS = 24
SHOWN = 200  # characters of a text that shows a finding
SAMPLE = 80  # characters of a value in the table of columns


def columns_view(columns: Sequence[Column], guesses: Sequence[RoleGuess], rows: str) -> str:
    """What the data has: every column with a value of it, what it was taken for, and why."""
    reasons = {guess.column: guess for guess in guesses}
    lines = "".join(
        f'<tr><th scope="row">{own(column.name)}</th><td class="mono"><span class="one-line" translate="no">'
        f"{marked(written(column.sample)[:SAMPLE])}</span></td><td>{_role(reasons.get(column.name))}</td></tr>"
        for column in columns
    )
    return (
        f'<p class="soft">{esc(rows)}</p><div class="scroll" tabindex="0" role="region" aria-label="Columns">'
        '<table class="table columns"><thead><tr><th scope="col">Column</th><th scope="col">A value</th>'
        f'<th scope="col">Taken for</th></tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _role(guess: RoleGuess | None) -> str:
    if guess is None:
        return ""
    return f'{esc(guess.role)}<br><span class="soft" lang="en">{esc(guess.reason)}</span>'


def prompt_view(messages: Sequence[Message], gold: str) -> str:
    """A prompt message by message, and the gold answer below it."""
    said = "".join(_message(message["role"], message["content"]) for message in messages)
    return f'<div class="messages">{said}{_message("Gold answer", gold) if gold else ""}</div>'


def _message(heading: str, text: str) -> str:
    return f'<div class="message"><h4>{esc(heading)}</h4><div class="prompt">{folded(text)}</div></div>'


def tokens_view(found: PromptTokens, room: int) -> str:
    """The first prompt token by token, special ones tinted, and how long prompts are against `room` tokens."""
    chips = "".join(
        f'<span class="piece{" special" if special else ""}">{marked(text) if not special else esc(text)}</span>'
        for text, special in found.shown[0]
    )
    longer = sum(length > room for length in found.lengths)
    over = f"{plural(longer, 'prompt')} of {len(found.lengths)} longer than {room} tokens" if longer else (
        f"all {len(found.lengths)} looked at fit into {room} tokens"
    )  # fmt: skip
    words = f"{len(found.shown[0])} tokens; lengths from {min(found.lengths)} to {max(found.lengths)}, "
    return (
        f'<p class="soft">{esc(words)}{esc(f"median {median(found.lengths):g}; {over}.")}</p>{histogram(found.lengths)}'
        f'<div class="pieces" dir="auto" translate="no">{chips}</div>'
    )


def histogram(values: Sequence[int]) -> str:
    """How often each length occurs, as bars."""
    low, high = min(values), max(values)
    width = max(1, (high - low + 1) // BARS + 1)
    counts = [0] * ((high - low) // width + 1)
    for value in values:
        counts[(value - low) // width] += 1
    bars = "".join(
        f'<i style="--h:{count / max(counts):.0%}" title="{low + place * width} to {low + (place + 1) * width - 1}: '
        f'{count}"></i>'
        for place, count in enumerate(counts)
    )
    label = f"Prompt lengths from {low} to {high} tokens"
    return (
        f'<figure class="histogram"><div role="img" aria-label="{label}">{bars}</div>'
        f"<figcaption><span>{low}</span><span>tokens</span><span>{high}</span></figcaption></figure>"
    )


def examination_view(found: Examination) -> str:
    """Rows that cannot be used by line, duplicates, leaks, and warnings."""
    report = found.report
    figures = [
        ("Rows", f"{thin(report.rows)}{'' if report.whole else ' so far'}"),
        ("Can be used", thin(found.usable)),
        ("Held out", thin(found.held_out)),
        ("Duplicates", thin(report.duplicates)),
        ("Leaks", thin(report.leaks)),
    ]
    lists = [(f"{thin(bad.count)} rows: {kind.replace('-', ' ')}", bad.examples) for kind, bad in report.bad.items()]
    lists += [("Rows with the prompt of an earlier row", report.duplicate_examples)] if report.duplicates else []
    lists += [("Rows to train on that are asked in evaluation too", report.leak_examples)] if report.leaks else []
    details = "".join(_fold(f"rows-{place}", *each, opened=True) for place, each in enumerate(lists))
    warnings = panel("notice", "Worth a look", *found.warnings) if found.warnings else ""
    notes = _list(found.notes) if found.notes else ""
    return f"{definitions(figures)}{warnings}{notes}{details}"


def _list(lines: Iterable[str]) -> str:
    return f'<ul class="findings" lang="en">{"".join(f"<li>{sentence(line)}</li>" for line in lines)}</ul>'


def bench_view(report: BenchReport) -> str:
    """What each reward says of each probe, and what that shows."""
    columns = [*report.rewards, report.total]
    heads = "".join(f'<th scope="col" class="number">{own(reward.name)}</th>' for reward in report.rewards)
    rows = "".join(
        f'<tr><th scope="row" lang="en">{esc(probe.name)}</th>{"".join(_mean(each, probe) for each in columns)}</tr>'
        for probe in PROBES
        if probe.name in report.total.means
    )
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="Mean scores"><table class="table bench"><thead><tr>'
        f'<th scope="col">Text</th>{heads}<th scope="col" class="number">Total</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    found = "".join(_finding(finding) for finding in report.findings)
    verdict = {"flaw": "The rewards have a flaw", "warning": "Worth a look", "sound": "The rewards are sound"}
    speed = f"{report.texts:,} texts made from {report.rows} rows; {report.per_second:,.0f} scored a second."
    return f'<h3>{verdict[report.verdict]}</h3><ul class="verdicts">{found}</ul>{table}<p class="soft">{esc(speed)}</p>'


def _mean(column: RewardReport, probe: Probe) -> str:
    mean = column.means.get(probe.name)
    flawed = probe.kind == "wrong" and column.false_positives.get(probe.name, 0.0) > 0.5
    return f'<td class="number{" hot" if flawed else ""}">{reward_text(mean)}</td>'


def _finding(finding: Finding) -> str:
    whose = f"{own(finding.reward)}: " if finding.reward else ""
    says = f'{whose}<span lang="en">{esc(finding.says)}</span>'
    if finding.row is not None:
        text = marked(finding.text[:SHOWN] or "(empty)")
        says += f'<br><span class="soft">row {finding.row + 1}:</span> <span class="mono" translate="no">{text}</span>'
    return f'<li class="{finding.severity}"><b>{finding.severity}</b> <span>{says}</span></li>'


def trial_view(trial: Trial, price: float = 0.0) -> str:
    """What was sampled, with scores and advantages, and what a run would take."""
    step = sum(trial.step_seconds.values())
    figures = [
        ("Mean reward", "–" if trial.reward is None else significant(trial.reward)),
        ("Groups with a spread", f"{trial.spread:.0%}"),
        ("Unscored", str(trial.unscored)),
        ("A step", duration(step)),
        ("The run", f'{duration(trial.run_seconds)} <span class="soft">{plural(trial.steps, "step")}</span>'),
    ]
    if price > 0:
        figures.append(("It would cost", significant(trial.cost(price))))
    advice = ""
    if not trial.spread:
        text = "All completions of each prompt scored the same, so a step would teach nothing."
        advice = panel("notice", "No group has a spread", text, "Give part of the reward for less, or show an answer.")
    return f"{definitions(figures)}{advice}{''.join(map(group_view, trial.groups))}"


def protection_view(level: Level) -> str:
    """What the sandbox keeps a user's file from on this machine, and what it does not."""
    return (
        f"<p>It runs in a process of its own, protected by {own(level.name)}.</p>"
        f"{_fold('protects', 'What it is kept from', level.protects)}"
        f"{_fold('exposes', 'What is not protected', level.exposes)}"
    )


def _fold(key: str, heading: str, lines: Iterable[str], opened: bool = False) -> str:
    return (
        f'<details class="fold" data-key="{key}"{" open" if opened else ""}><summary>{esc(heading)}</summary>'
        f"{_list(lines)}</details>"
    )


def file_view(path: Path) -> str:
    """A file of a task, folded, with a button that copies it."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return (
        f'<details class="fold" data-key="file-{esc(path.name)}"><summary>{own(path.name)}</summary>'
        '<button type="button" class="small-button" data-copy>Copy</button>'
        f'<pre class="block" translate="no">{esc(text)}</pre></details>'
    )


def rewards_table(rewards: Sequence[Reward], weights: Mapping[str, float]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{esc(reward.name)}</code></th><td class="number">× {weights[reward.name]:g}</td>'
        f'<td lang="en">{esc(reward.about)}</td></tr>'
        for reward in rewards
    )
    return f'<table class="table rewards"><tbody>{rows}</tbody></table>'
