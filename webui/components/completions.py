"""A group of completions: the prompt once, the answers under each other, best reward first.

Everything here is text that a model or a data set wrote. It is escaped, keeps its line breaks, and is never Markdown.
"""

from collections.abc import Sequence

from core.runs import Completion, Group
from core.units import plural
from webui.present import esc, folded, reward, signed


def groups_view(groups: Sequence[Group]) -> str:
    return "".join(group_view(group) for group in groups)


def group_view(group: Group) -> str:
    rewards = [c.reward for c in group.completions if c.reward is not None]
    spread = f"{reward(min(rewards))} to {reward(max(rewards))}" if rewards else "unscored"
    answers = "".join(completion_card(completion) for completion in group.completions)
    return (
        f'<article class="group" aria-label="Group {group.index + 1}">'
        f'<header><h4>Prompt {group.index + 1}</h4><span class="soft">'
        f"{plural(len(group.completions), 'completion')} · reward {spread}</span></header>"
        f'<div class="prompt">{folded(group.prompt)}</div>{_fields(group)}'
        f'<ol class="answers">{answers}</ol></article>'
    )


def completion_card(completion: Completion) -> str:
    cut = (
        '<span class="cut" title="Stopped at completion_tokens before the model ended its answer">cut</span>'
        if completion.finish_reason == "length"
        else ""
    )
    return (
        f'<li class="answer">{reward_pill(completion)}<div class="answer-text">{folded(completion.text)}</div>'
        f'<span class="answer-notes">{cut}<span title="Tokens sampled">{plural(completion.length, "token")}</span>'
        f'<span title="Advantage: how much better than its group">{signed(completion.advantage)}</span></span></li>'
    )


def reward_pill(completion: Completion) -> str:
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


def _fields(group: Group) -> str:
    if not group.fields:
        return ""
    pairs = "".join(
        f"<div><dt>{esc(name)}</dt><dd>{folded(str(value))}</dd></div>" for name, value in group.fields.items()
    )
    return f'<dl class="fields">{pairs}</dl>'


def _share(value: float | None) -> str:
    """How full the pill is drawn: rewards below 0 are empty, from 1 up full."""
    return f"{max(0.0, min(1.0, value or 0.0)):.0%}"
