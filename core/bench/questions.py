"""What people ask of a store of completions, made up: pages, filters, orders and searches, each asked once."""

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

from core.bench.filling import GROUP_SIZE, GROUPS, TOKENS, WORDS
from core.store.search.filter import ORDERS, CompletionFilter

Asking = Callable[[random.Random, int], CompletionFilter]


def _page(chance: random.Random, rows: int) -> CompletionFilter:
    """Anywhere in the run, in the order it was sampled or by reward."""
    if chance.random() < 0.5:
        return CompletionFilter(after=f"{chance.randrange(rows)}:")
    return CompletionFilter(sort="reward", after=f"{chance.randrange(rows)}:{chance.random()!r}")


def _filter(chance: random.Random, rows: int) -> CompletionFilter:
    """One to three filters, from such that let half through to such that let next to nothing through."""
    low, length = chance.random(), chance.randrange(TOKENS)
    step = chance.randrange(rows // (GROUPS * GROUP_SIZE) + 1)
    choices: list[Mapping[str, Any]] = [
        {"min_reward": 1 - low**3},
        {"max_reward": low**3},
        {"min_length": length, "max_length": length + 5},
        {"min_advantage": 4 * low - 2},
        {"score": "correctness", "max_score": 0.0},
        {"score": "format", "min_score": 1.0},
        {"finish_reason": chance.choice(("stop", "length"))},
        {"flat": low < 0.5},
        {"first_step": step, "last_step": step + chance.choice((0, 10, 1000, 30_000))},
        {"fields": f"answer={chance.randrange(40)}"},
        {"evidence": "form-only"},
    ]
    chosen: dict[str, Any] = {}
    for choice in chance.sample(choices, chance.randint(1, 3)):
        chosen |= {name: value for name, value in choice.items() if "score" not in chosen or "score" not in choice}
    return CompletionFilter(**chosen)


def _sort(chance: random.Random, rows: int) -> CompletionFilter:
    """Any order, over everything or over what one filter leaves."""
    sort = chance.choice((*ORDERS, "score:correctness", "-score:format"))
    filtered = _filter(chance, rows) if chance.random() < 0.5 else CompletionFilter()
    return dataclasses.replace(filtered, sort=sort)


def _search(chance: random.Random, rows: int) -> CompletionFilter:
    """Common and rare words, two words, phrases and beginnings, newest first or by reward."""
    one, two = chance.choices(WORDS, k=2)
    numbered = f"mark{chance.randrange(rows // 50 + 1)}"
    text = chance.choice((one, f"{one} {two}", f'"{one} {two}"', f"{one[:2]}*", numbered, f"{numbered} {one}"))
    return CompletionFilter(search=text, sort=chance.choice(("newest", "reward", "length")))


ASKED: Mapping[str, Asking] = {"page": _page, "filter": _filter, "sort": _sort, "search": _search}
