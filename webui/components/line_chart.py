"""A small chart of a few lines over steps, as an image that needs no script."""

from collections.abc import Sequence
from typing import Any

from webui.components.charts import swatch
from webui.present import esc, own, reward

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 240, 52, 24


def line_chart(data: dict[str, Any] | None, label: str) -> str:
    """`data` is {steps, series: [{name, colour, dash, values}]}; a value of None is a gap, a lone value a dot."""
    if not data or not data["steps"]:
        return ""
    steps: Sequence[int] = data["steps"]
    known = [value for line in data["series"] for value in line["values"] if value is not None]
    low, high = min([0.0, *known]), max([1.0, *known])
    first, span = steps[0], max(1, steps[-1] - steps[0])

    def at(step: int, value: float) -> tuple[float, float]:
        x = LEFT + (step - first) / span * (WIDTH - LEFT - 8)
        return x, 8 + (high - value) / (high - low) * (HEIGHT - BOTTOM - 8)

    grid = ""
    for place in range(5):
        value = low + (high - low) * place / 4
        _, y = at(first, value)
        grid += f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
        grid += f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{reward(value)}</text>'
    ends = f'<text x="{LEFT}" y="{HEIGHT - 4}">step {first}</text>'
    ends += f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{steps[-1]}</text>'
    lines, names = "", ""
    for line in data["series"]:
        points = [at(step, value) for step, value in zip(steps, line["values"], strict=True) if value is not None]
        dash = line.get("dash", ())
        dashed = f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines += f'<polyline points="{path}" fill="none" stroke="var({line["colour"]})" stroke-width="2"{dashed}/>'
        lines += "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="var({line["colour"]})"/>'
            for x, y in (points if len(points) <= 40 else [])
        )
        name = own(line["name"]) if line.get("given") else esc(line["name"])
        names += f"<li>{swatch(line['colour'], dash)}{name}</li>"
    return (
        f'<svg class="line-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{esc(label)}">'
        f'{grid}{ends}{lines}</svg><ul class="legend">{names}</ul>'
    )
