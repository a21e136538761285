"""The memory plan as bars: one per phase, segments always in the same order, the device's capacity as a line."""

from collections.abc import Sequence

from core.planner import NAMES, MemoryPhase, MemoryPlan
from core.units import gib, plural, thin
from webui.components.stacked_bar import Segment, legend, stacked_bar
from webui.present import capitalised, esc

# One colour a line, the same in every plan; neighbours in the bar differ in lightness as well as in hue.
COLOURS = {
    "base weights": "--budget-1",
    "engine weights": "--budget-2",
    "engine overhead": "--budget-3",
    "KV cache": "--budget-4",
    "adapter slots": "--budget-5",
    "adapter": "--budget-6",
    "gradients": "--budget-7",
    "optimizer states": "--budget-8",
    "activations": "--budget-9",
    "head": "--budget-10",
    "kept by malloc": "--budget-11",
    "margin": "--budget-12",
}


def budget_bar(plan: MemoryPlan, device: str, advice: Sequence[str] = (), doubt: str = "") -> str:
    """The sentence that says whether it fits, a bar for each phase, the legend, and the figures on demand.

    advice  what to change when it does not fit, most harmless first
    doubt   how far to trust the plan
    """
    scale = max([plan.capacity_bytes, *(phase.total_bytes for phase in plan.phases)])
    verdict = "fits" if plan.fits else "does-not-fit"
    bars = "".join(_phase_bar(phase, plan, scale) for phase in plan.phases)
    return (
        f'<section class="budget {verdict}" aria-label="Memory plan">'
        f'<p class="verdict" role="status" lang="en">{esc(plan.sentence)}</p>{_advice(advice)}'
        f"{bars}{_axis(plan.capacity_bytes, scale, device)}{legend(_largest(plan))}"
        f'{_cache(plan)}<p class="soft" lang="en">{esc(doubt)}</p>{_table(plan)}</section>'
    )


def _advice(advice: Sequence[str]) -> str:
    return (
        f'<ul class="advice">{"".join(f"<li lang=en>{esc(capitalised(text))}</li>" for text in advice)}</ul>'
        if advice
        else ""
    )


def _phase_bar(phase: MemoryPhase, plan: MemoryPlan, scale: int) -> str:
    peak = ' <span class="soft">· peak</span>' if phase.name == plan.peak_phase else ""
    return (
        f'<div class="phase"><div class="phase-head"><h4>{esc(capitalised(phase.name))}{peak}</h4>'
        f"<span>{gib(phase.total_bytes)}</span></div>"
        f"{stacked_bar(_segments(phase), scale, capitalised(phase.name), limit=plan.capacity_bytes)}</div>"
    )


def _segments(phase: MemoryPhase) -> list[Segment]:
    return [
        Segment(capitalised(line.name), line.bytes, gib(line.bytes), COLOURS.get(line.name, "--budget-11"))
        for line in phase.lines
    ]


def _largest(plan: MemoryPlan) -> list[Segment]:
    """Every line once, at its largest."""
    segments = [segment for phase in plan.phases for segment in _segments(phase)]
    largest = {segment.name: segment for segment in sorted(segments, key=lambda segment: segment.size)}
    return [largest[capitalised(name)] for name in NAMES if capitalised(name) in largest]


def _axis(capacity: int, scale: int, device: str) -> str:
    left = capacity / scale
    side = "right" if left > 0.5 else "left"
    return (
        f'<div class="bar-axis"><span class="{side}" style="left:{left:.3%}" translate="no">'
        f"{esc(device)}: {gib(capacity)}</span></div>"
    )


def _cache(plan: MemoryPlan) -> str:
    cache = plan.kv_cache
    if not cache.tokens:
        return ""
    workload = plan.workload
    room = f"{plural(cache.full_length_sequences, 'completion')} of {workload.completion_tokens:,} tokens at once"
    return (
        f'<p class="soft">KV cache: <b>{room}</b>, each after a prompt of {workload.prompt_tokens:,}; a step samples '
        f"{workload.batch_size}. That is {thin(cache.tokens)} tokens in {thin(cache.blocks)} blocks.</p>"
    )


def _table(plan: MemoryPlan) -> str:
    """Every line of every phase with the formula that gave it."""
    rows = "".join(
        f'<tr><th scope="row">{esc(capitalised(line.name))}</th><td class="soft">{esc(phase.name)}</td>'
        f'<td class="number">{gib(line.bytes)}</td><td class="soft" lang="en">{esc(line.formula)}</td></tr>'
        for phase in plan.phases
        for line in phase.lines
    )
    return (
        '<details class="fold" data-key="budget-table"><summary>Every line and its formula</summary>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Memory plan, line by line"><table class="table">'
        '<thead><tr><th scope="col">Line</th><th scope="col">Phase</th><th scope="col" class="number">Memory</th>'
        f'<th scope="col">Formula</th></tr></thead><tbody>{rows}</tbody></table></div></details>'
    )
