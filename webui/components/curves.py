"""The reward curves of a run: what the chart draws and the same figures as a table."""

from collections.abc import Sequence
from typing import Any

from core.runs import Step
from webui.present import esc, reward

POINTS = 1000  # more than a screen has columns for
COLOURS = ("--series-2", "--series-3", "--series-4", "--series-5", "--series-6", "--series-7")


def curves(steps: Sequence[Step]) -> dict[str, Any]:
    """The mean reward and the mean of every reward function, over steps."""
    shown = _thinned(steps)
    names = sorted({name for step in shown for name in step.metrics if _function(name)})
    series = [_line("reward", "Reward", "--series-1", shown, main=True)]
    for place, name in enumerate(names):
        series.append(_line(name, _function(name), COLOURS[place % len(COLOURS)], shown))
    return {"steps": [step.number for step in shown], "series": series}


def curves_table(steps: Sequence[Step]) -> str:
    """The same figures to read or to hear, folded."""
    data = curves(steps)
    if not steps:
        return ""
    heads = "".join(f'<th scope="col" class="number">{esc(line["name"])}</th>' for line in data["series"])
    rows = "".join(
        f'<tr><th scope="row" class="number">{number}</th>'
        + "".join(f'<td class="number">{reward(line["values"][place])}</td>' for line in data["series"])
        + "</tr>"
        for place, number in enumerate(data["steps"])
    )
    return (
        '<details class="fold" data-key="curve-table"><summary>Figures as a table</summary>'
        '<div class="scroll tall" tabindex="0" role="region" aria-label="Rewards by step">'
        f'<table class="table"><thead><tr><th scope="col" class="number">Step</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _function(metric: str) -> str:
    """ "rewards/correctness/mean" -> "correctness"; "" for any other metric."""
    parts = metric.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == "rewards" and parts[2] == "mean" else ""


def _line(metric: str, name: str, colour: str, steps: Sequence[Step], main: bool = False) -> dict[str, Any]:
    values = [step.metrics.get(metric) for step in steps]
    return {"name": name, "colour": colour, "values": values, "main": main}


def _thinned(steps: Sequence[Step]) -> Sequence[Step]:
    stride = -(-len(steps) // POINTS) or 1
    return steps if stride == 1 else [*steps[:-1:stride], steps[-1]]
