"""Which of several configs or splits is meant."""

from collections.abc import Collection, Mapping

from core.errors import InvalidInput
from core.tasks.data.layout import Layout

SHOWN = 12


def choose(field: str, asked: str, choices: Collection[str], usual: str, name: str) -> str:
    """What was asked for, or the only choice, or the usual one. Raises InvalidInput that names the choices."""
    if asked in choices:
        return asked
    if not asked and len(choices) == 1:
        return next(iter(choices))
    if not asked and usual in choices:
        return usual
    problem = f"and {name} needs one" if not asked else f"which {name} does not have"
    raise InvalidInput(field, asked, problem, f"choose {listed(choices)}")


def choose_files(layout: Layout, config: str, split: str, name: str) -> tuple[str, str, tuple[str, ...]]:
    """(config, split, files). Raises InvalidInput that names the choices."""
    chosen = choose("config", config, layout, "default", name)
    splits: Mapping[str, tuple[str, ...]] = layout[chosen]
    part = choose("split", split, splits, "train", name)
    return chosen, part, splits[part]


def listed(choices: Collection[str]) -> str:
    """ "a, b or c", cut where there are many."""
    names = sorted(choices)
    if len(names) > SHOWN:
        return f"one of {len(names)}, such as {', '.join(names[:SHOWN])}"
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
