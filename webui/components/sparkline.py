"""A run's reward as a small curve in a table's cell."""

from collections.abc import Sequence

from webui.components.charts import run_colour
from webui.present import reward

WIDTH, HEIGHT = 84, 20


def sparkline(values: Sequence[float], run_id: str) -> str:
    """The curve between its own least and greatest value; what it says in words is its title."""
    if len(values) < 2:
        return f'<svg class="spark" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true"></svg>'
    low, high = min(values), max(values)
    across, up = (WIDTH - 2) / (len(values) - 1), (HEIGHT - 4) / ((high - low) or 1.0)
    points = " ".join(
        f"{1 + place * across:.1f},{HEIGHT - 2 - (value - low) * up:.1f}" for place, value in enumerate(values)
    )
    said = f"Reward from {reward(values[0])} to {reward(values[-1])}, between {reward(low)} and {reward(high)}"
    return (
        f'<svg class="spark" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{said}"><title>{said}</title>'
        f'<polyline points="{points}" fill="none" stroke="var({run_colour(run_id)})" stroke-width="1.5" '
        'stroke-linejoin="round"/></svg>'
    )
