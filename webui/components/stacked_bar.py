"""A bar of labelled segments; the memory plan and the time of a run are both drawn with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from webui.present import esc


@dataclass(frozen=True)
class Segment:
    """`shown` is the size as people read it; `colour` a CSS variable."""

    name: str
    size: float
    shown: str
    colour: str


def stacked_bar(segments: Sequence[Segment], scale: float, label: str, limit: float | None = None) -> str:
    """Segments side by side, `scale` being the full width; what lies beyond `limit` is hatched."""
    drawn = [segment for segment in segments if segment.size > 0]
    summary = ", ".join(f"{segment.name} {segment.shown}" for segment in drawn)
    parts = "".join(
        f'<div class="segment" style="width:{segment.size / scale:.3%};'
        f'background:var({segment.colour});color:var({segment.colour}-on, var(--on-segment))" '
        f'title="{esc(segment.name)}: {esc(segment.shown)}"><span>{esc(segment.name)}</span></div>'
        for segment in drawn
        if scale
    )
    used = sum(segment.size for segment in drawn)
    beyond = ""
    if limit is not None and scale:
        if used > limit:
            beyond = f'<div class="beyond" style="left:{limit / scale:.3%};width:{(used - limit) / scale:.3%}"></div>'
        beyond += f'<div class="capacity" style="left:{min(1.0, limit / scale):.3%}"></div>'
    return f'<div class="bar" role="img" aria-label="{esc(label)}: {esc(summary)}">{parts}{beyond}</div>'


def legend(segments: Sequence[Segment]) -> str:
    items = "".join(
        f'<li><i style="background:var({segment.colour})"></i><span>{esc(segment.name)}</span>'
        f"<b>{esc(segment.shown)}</b></li>"
        for segment in segments
        if segment.size > 0
    )
    return f'<ul class="legend">{items}</ul>'
