"""Completions as people read them: cards, groups as rows, and the line that links their pages.

Everything here is text that a model or a data set wrote. It is escaped, keeps its line breaks, and is never Markdown.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from core.insights.reward_hacking import KINDS
from core.models.tokens import SPECIAL
from core.records.evaluation import Reply
from core.records.rollout import Completion, Group
from core.tasks.advantages import is_flat
from core.units import plural
from webui.present import esc, folded, marked, own, reward, signed

ROLE = re.compile(r"^\s*(?:system|user|assistant|model)\s*(?:\n|$)")
SNIPPET = 160  # characters of a prompt in a row, two lines of it
TABS = (("Groups", "completions"), ("Find", "find"), ("Evaluation", "evaluation"), ("Replay rewards", "replay"))


def groups_view(groups: Sequence[Group]) -> str:
    return "".join(group_view(group) for group in groups)


def group_view(group: Group) -> str:
    answers = "".join(completion_card(completion) for completion in group.completions)
    return (
        f'<article class="group" aria-label="Group {group.index + 1}">'
        f'<header><h4>Prompt {group.index + 1}</h4><span class="soft">'
        f"{plural(len(group.completions), 'completion')} · reward {_spread(group)}</span></header>"
        f'<div class="prompt">{folded(group.prompt)}</div>{fields_view(group.fields)}'
        f'<ol class="answers">{answers}</ol></article>'
    )


def group_rows(groups: Sequence[Group], opened: int | None) -> str:
    """A step's groups, each a row with its rewards as bars; the opened one (by number) shows its completions below."""
    low, high = bar_range(one.reward for group in groups for one in group.completions)
    rows = "".join(_group_row(group, low, high, group.index == opened) for group in groups)
    return f'<div class="group-rows">{rows}</div>'


def _group_row(group: Group, low: float, high: float, is_open: bool) -> str:
    rewards = [one.reward for one in group.completions]
    known = [value for value in rewards if value is not None]
    spread = f"±{(max(known) - min(known)) / 2:.2f}" if known else "–"
    flat = '<span class="mark-flat" title="All rewards are the same: the group taught nothing">flat</span>'
    best, worst = (group.completions[0], group.completions[-1]) if group.completions else (None, None)
    row = (
        f'<button type="button" class="group-row" data-trigger="select" data-id="group:{group.index}" '
        f'aria-expanded="{str(is_open).lower()}"><b>{group.index + 1}</b>'
        f'<span class="group-prompt" translate="no">{marked(snippet(group.prompt))}</span>'
        f"{reward_strip(rewards, low, high)}"
        f'<span class="group-spread">{flat if is_flat(rewards) else ""} {_spread(group)} '
        f'<span class="soft">{spread}</span></span></button>'
    )
    if is_open:
        return f'<div class="opened" data-key="group-{group.index}">{row}{group_view(group)}</div>'
    ends = "".join(
        f'<p><span class="soft">{word}</span> {reward(one.reward)} '
        f'<span class="mono" translate="no">{marked(one_line(one.text))}</span></p>'
        for word, one in (("best", best), ("worst", worst))
        if one is not None
    )
    return f'<div data-key="group-{group.index}">{row}<div class="ends">{ends}</div></div>'


def bar_range(rewards: Iterable[float | None]) -> tuple[float, float]:
    """What bars are drawn between: from 0 to 1, where most rewards live, so that a bar says the same everywhere."""
    known = [value for value in rewards if value is not None]
    return min([0.0, *known]), max([1.0, *known])


def reward_strip(rewards: Sequence[float | None], low: float, high: float) -> str:
    """A bar for each reward, best first; one without a reward is dotted."""
    bars = "".join(
        "<i class=none></i>" if value is None else f'<i style="--h:{(value - low) / (high - low or 1):.0%}"></i>'
        for value in rewards
    )
    spoken = ", ".join(reward(value) for value in rewards)
    return f'<span class="strip" role="img" aria-label="Rewards {spoken}" title="{spoken}">{bars}</span>'


def completion_card(completion: Completion, with_prompt: bool = False) -> str:
    """One answer with its figures. `with_prompt` says where it is from, for lists across steps and runs."""
    cut = (
        '<span class="cut" title="Stopped at completion_tokens before the model ended its answer">cut</span>'
        if completion.finish_reason == "length"
        else ""
    )
    scores = "".join(
        f'<span title="Score of {esc(score.function)}">{own(score.function)} {reward(score.value)}</span>'
        for score in completion.scores
    )
    opening = f'<a href="{permalink(completion)}">Open</a>' if completion.id else ""
    return (
        f'<li class="answer">{reward_pill(completion)}<div class="answer-text">'
        f"{_origin(completion) if with_prompt else ''}{folded(completion.text, permalink(completion))}"
        f"{_said(completion)}"
        f'</div><span class="answer-notes">{scores}{cut}<span title="Tokens sampled">'
        f'{plural(completion.length, "token")}</span><span title="Advantage: how much better than its group">'
        f"advantage {signed(completion.advantage)}</span>{opening}</span></li>"
    )


def permalink(completion: Completion) -> str:
    return f"completion?id={completion.id}" if completion.id else ""


def snippet(prompt: str) -> str:
    """The end of the last turn of a prompt, where the question is; what is before it is often the same for all."""
    turns = [ROLE.sub("", turn).strip() for turn in SPECIAL.split(prompt)]
    line = " ".join(next((turn for turn in reversed(turns) if turn), prompt)[-1500:].split())
    return line if len(line) <= SNIPPET else f"…{line[-SNIPPET:]}"


def one_line(text: str) -> str:
    """The beginning of a text, its line breaks and runs of space as single spaces."""
    return " ".join(text[: 2 * SNIPPET].split())[:SNIPPET]


def tabs(run_id: str, current: str) -> str:
    """Links between the pages about one run's completions."""
    links = "".join(
        f'<a href="{page}?{urlencode({"run": run_id})}"{" aria-current=page" if page == current else ""}>{name}</a>'
        for name, page in TABS
    )
    flagged = f'<a href="find?flagged=1"{" aria-current=page" if current == "flagged" else ""}>Flagged</a>'
    return f'<nav class="tabs" aria-label="Completions">{links}{flagged}</nav>'


def reward_pill(completion: Completion | Reply) -> str:
    """The reward; its parts appear on hover, on focus and to a screen reader."""
    lines = []
    for score in completion.scores:
        value = f"unscored ({score.error})" if score.value is None else reward(score.value)
        lines.append(f"{score.function}: {value}")
    parts = "\n".join(lines) or "No scores recorded"
    failed = " unscored" if any(score.value is None for score in completion.scores) else ""
    return (
        f'<button type="button" class="reward-pill{failed}" data-parts="{esc(parts)}" '
        f'aria-label="Reward {reward(completion.reward)}. {esc(parts)}" style="--share:{_share(completion.reward)}">'
        f"{reward(completion.reward)}</button>"
    )


def _origin(completion: Completion) -> str:
    address = esc(
        f"completions?{urlencode({'run': completion.run, 'step': completion.step, 'group': completion.group + 1})}"
    )
    return (
        f'<p class="origin"><a href="{address}">Step {completion.step}, prompt {completion.group + 1}</a> '
        f'<span class="soft" translate="no">{marked(snippet(completion.prompt))}</span></p>'
    )


def _said(completion: Completion) -> str:
    """What a person or the look at its step said about it."""
    remark = completion.remark
    marks = ['<span class="tag flagged">Flagged</span>'] if remark.flagged else []
    marks += [f'<a class="tag" href="find?{urlencode({"tag": tag})}">{own(tag)}</a>' for tag in remark.tags]
    marks += [
        f'<span class="tag why" title="{esc(KINDS.get(kind, kind))}" lang="en">{esc(detail)}</span>'
        for kind, detail in completion.evidence.items()
    ]
    note = f'<p class="note" translate="no">{esc(remark.note)}</p>' if remark.note else ""
    return f'<p class="marks">{"".join(marks)}</p>{note}' if marks or note else ""


def _spread(group: Group) -> str:
    rewards = [one.reward for one in group.completions if one.reward is not None]
    return f"{reward(min(rewards))} to {reward(max(rewards))}" if rewards else "unscored"


def fields_view(fields: Mapping[str, Any]) -> str:
    if not fields:
        return ""
    pairs = "".join(f"<div><dt>{own(name)}</dt><dd>{folded(str(value))}</dd></div>" for name, value in fields.items())
    return f'<dl class="fields">{pairs}</dl>'


def _share(value: float | None) -> str:
    """How full the pill is drawn: rewards below 0 are empty, from 1 up full."""
    return f"{max(0.0, min(1.0, value or 0.0)):.0%}"
