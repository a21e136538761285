"""Runs beside each other: which ones, where their settings differ, what they came to, what they said."""

import json
from collections.abc import Mapping, Sequence
from statistics import fmean

from core.records.rollout import Group
from core.records.run import Run
from core.records.step import Step
from core.store.runs.history import History
from core.units import duration, gib, significant, thin
from webui.components.charts import run_styles, swatch
from webui.components.completions import completion_card
from webui.components.config_panel import written
from webui.components.status_chip import run_chip
from webui.present import NOTHING, esc, folded, own, reward

MOST_RUNS = 20
LAST_STEPS = 5  # final figures are means over these, for one step says little


def picker(shown: Sequence[Run], others: Sequence[Run], step: int | None, prompt: int, hidden: int) -> str:
    """The chosen runs with their line, each to be taken out; and a field to add another."""
    query = {
        "runs": ",".join(run.id for run in shown) or None,
        "step": str(step) if step else None,
        "prompt": str(prompt) if prompt else None,
    }
    styles = run_styles([run.id for run in shown])
    chips = "".join(
        f'<li data-key="{esc(run.id)}">{swatch(*styles[run.id])}<a href="run?id={esc(run.id)}">{own(run.name)}</a>'
        f'{run_chip(run)}<button type="button" data-trigger="clear" data-id="{esc(run.id)}" '
        f'aria-label="Leave out {esc(run.name)}">×</button></li>'
        for run in shown
    )
    options = "".join(
        f'<option value="{esc(run.id)}" translate="no">{esc(run.name)} · {esc(run.config.recipe)} · '
        f"rank {run.config.rank}</option>"
        for run in others
    )
    add = (
        f'<select data-field="add" aria-label="Add a run"><option value="">Add a run</option>{options}</select>'
        if others and len(shown) < MOST_RUNS
        else ""
    )
    note = f'<span class="soft">{hidden} more were left out: {MOST_RUNS} is the most.</span>' if hidden else ""
    bare = "" if chips or add or note else " bare"
    return f'<div class="picks filters{bare}" data-query="{esc(json.dumps(query))}"><ul>{chips}</ul>{add}{note}</div>'


def differences(shown: Sequence[Run]) -> str:
    """The settings in which these runs differ, a column for each run."""
    configs = [run.config.model_dump(mode="json") for run in shown]
    names = [name for name in configs[0] if any(config[name] != configs[0][name] for config in configs)]
    if not names:
        return '<p class="soft">These runs have the same settings.</p>'
    rows = [(name, [f'<span class="mono">{esc(written(config[name]))}</span>' for config in configs]) for name in names]
    return _table("Settings that differ", shown, rows, code=True)


def final_figures(shown: Sequence[tuple[Run, History]]) -> str:
    """What each run came to: means over its last steps, and what it took."""
    rows: dict[str, list[str]] = {}
    for run, history in shown:
        for name, value in _figures(run, history).items():
            rows.setdefault(name, []).append(value)
    return _table("Final figures", [run for run, _ in shown], list(rows.items()))


def said_side_by_side(shown: Sequence[Run], prompt: str, found: Sequence[tuple[str, int, Group | None]]) -> str:
    """One prompt, and under it what each run answered, in a column each."""
    by_run = {run_id: (step, group) for run_id, step, group in found}
    styles = run_styles([run.id for run in shown])
    columns = "".join(_column(run, styles[run.id], *by_run[run.id]) for run in shown)
    return (
        f'<div class="prompt">{folded(prompt)}</div><div class="beside" tabindex="0" role="region" '
        f'aria-label="Completions side by side">{columns}</div>'
    )


def prompt_picker(step: int, last: int, prompt: int, prompts: Sequence[str]) -> str:
    """Which step and which of its prompts the completions are of."""
    options = "".join(
        f'<option value="{place}"{" selected" if place == prompt else ""} translate="no">{esc(_gist(text))}</option>'
        for place, text in enumerate(prompts)
    )
    return (
        '<div class="filters"><label class="tick">Step <input type="range" min="1" '
        f'max="{last}" value="{step}" data-trigger="select" aria-label="Step"></label>'
        f'<span class="count" role="status">{step} of {last}</span>'
        f'<select data-field="prompt" aria-label="Prompt">{options}</select></div>'
    )


def _column(run: Run, style: tuple[str, Sequence[int]], step: int, group: Group | None) -> str:
    where = f' <span class="soft">step {step}</span>' if step else ""
    head = f"<header>{swatch(*style)}<b>{own(run.name)}</b>{where}</header>"
    if group is None:
        return f'<section data-key="{esc(run.id)}">{head}<p class="soft">Never sampled this prompt.</p></section>'
    answers = "".join(completion_card(completion) for completion in group.completions)
    return f'<section data-key="{esc(run.id)}">{head}<ol class="answers">{answers}</ol></section>'


def _figures(run: Run, history: History) -> Mapping[str, str]:
    recent = history.steps[-LAST_STEPS:]
    first = history.steps[:LAST_STEPS]
    sampling = history.seconds.get("generate", 0.0)
    total = sum(history.seconds.values())
    peak = max(history.peaks.values(), default=0)
    best = max((value for step in history.steps if (value := step.metrics.get("reward")) is not None), default=None)
    return {
        "State": run_chip(run),
        "Steps": f"{thin(run.step)} of {thin(run.config.steps)}",
        "Reward, first steps": _reward(first),
        "Reward, last steps": f"<b>{_reward(recent)}</b>",
        "Best reward of a step": reward(best),
        "Reward spread": _mean(recent, "reward_std"),
        "Flat groups": _mean(recent, "frac_reward_zero_std", share=True),
        "Completion length": _mean(recent, "completions/mean_length"),
        "Truncated": _mean(recent, "completions/clipped_ratio", share=True),
        "Entropy": _mean(recent, "entropy"),
        "Sampler mismatch": _mean(recent, "mismatch/kl"),
        "Gradient norm": _mean(recent, "grad_norm"),
        "Sampling speed": f"{thin(round(history.tokens / sampling))} tokens/s" if sampling else NOTHING,
        "Time a step": duration(total / history.count) if history.count else NOTHING,
        "Tokens sampled": thin(history.tokens),
        "Peak memory": gib(peak) if peak else NOTHING,
    }


def _reward(steps: Sequence[Step]) -> str:
    values = [value for step in steps if (value := step.metrics.get("reward")) is not None]
    return reward(fmean(values)) if values else NOTHING


def _mean(steps: Sequence[Step], name: str, share: bool = False) -> str:
    values = [value for step in steps if (value := step.metrics.get(name)) is not None]
    if not values:
        return NOTHING
    return f"{fmean(values):.0%}" if share else significant(fmean(values))


def _table(label: str, shown: Sequence[Run], rows: Sequence[tuple[str, Sequence[str]]], code: bool = False) -> str:
    styles = run_styles([run.id for run in shown])
    heads = "".join(f'<th scope="col">{swatch(*styles[run.id])}{own(run.name)}</th>' for run in shown)
    body = "".join(
        f'<tr><th scope="row">{f"<code>{esc(name)}</code>" if code else esc(name)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for name, cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="table beside-runs"><thead>'
        f"<tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _gist(prompt: str) -> str:
    """The end of a prompt, where its question is."""
    lines = [line.strip() for line in prompt.splitlines() if line.strip() and not line.startswith("<|")]
    text = lines[-1] if lines else prompt.strip()
    return text if len(text) <= 60 else f"…{text[-59:]}"
