"""What this machine's own runs teach a plan."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.planner.lines import Line, MemoryPhase, memory_phase
from core.planner.plan import MemoryPlan


@dataclass(frozen=True)
class Calibration:
    """Measured peak over planned peak, one ratio for each finished run on this kind of device."""

    ratios: tuple[float, ...] = ()

    @property
    def sentence(self) -> str:
        """How far to trust a plan, for the page."""
        if not self.ratios:
            return "Estimated: no run on this machine has measured it yet"
        runs = "1 run" if len(self.ratios) == 1 else f"{len(self.ratios)} runs"
        low, high = min(self.ratios), max(self.ratios)
        share = f"{low:.0%}" if round(low, 2) == round(high, 2) else f"{low:.0%} to {high:.0%}"
        return f"Calibrated: {runs} on this machine peaked at {share} of what was planned"


def calibrated(plan: MemoryPlan, calibration: Calibration) -> MemoryPlan:
    """The plan with its margin drawn to the worst ratio measured here; unchanged without measurements.

    A ratio under one gives margin back, one above adds to it. No other line changes: they are arithmetic.
    """
    if not calibration.ratios:
        return plan
    ratio = max(calibration.ratios)
    return replace(plan, phases=tuple(_drawn(each, ratio, len(calibration.ratios)) for each in plan.phases))


def _drawn(each: MemoryPhase, ratio: float, runs: int) -> MemoryPhase:
    lines = [*each.lines]
    margin = next((line for line in lines if line.name == "margin"), Line("margin", 0, "none", ""))
    nbytes = max(0, margin.bytes + round((ratio - 1) * each.total_bytes))
    measured = f"{margin.formula}; {runs} of this machine's runs peaked at up to {ratio:.1%} of plan"
    others: Sequence[Line] = [line for line in lines if line.name != "margin"]
    drawn = memory_phase(each.name, [*others, Line("margin", nbytes, measured, "measured on this machine")])
    return replace(drawn, parts=tuple(_drawn(part, ratio, runs) for part in each.parts))
