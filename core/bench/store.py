"""How long the completion browser takes over a store of a given size, and what a completion costs on disk.

The rows are made up, but go through the store's own recording: 32 completions a step, all of one run, which is the
hardest case for its indices. Words are drawn by Zipf's law, so that some are everywhere and some are rare.
"""

import dataclasses
import itertools
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.config import make_config
from core.runs import Completion, Group, RewardScore, Step
from core.settings import Settings
from core.store import Database, browsing, checking, finding, lifecycle, open_database, recording
from core.store.wanted import ORDERS, CompletionFilter

GROUPS, GROUP_SIZE, TOKENS = 4, 8, 64
PROMPTS = 5000
WORDS = ["".join(sounds) for sounds in itertools.product("bdfgklmnprst", "aeiou", ("n", "r", "s", "ta", "ko", "mi"))]
QUERIES = 60  # of each kind
STEPS_AT_ONCE = 500  # recorded in one transaction, for speed
Asking = Callable[[random.Random, int], CompletionFilter]


def bench_store(settings: Settings, rows: int, keep: Path | None = None) -> dict[str, Any]:
    """Builds a store of `rows` completions and asks it what the pages ask.

    JSON: {rows, p95_ms: {page, filter, sort, search, count}, median_ms, max_ms: the same, bytes_per_completion,
    bytes_per_completion_without_tokens, tokens_per_completion, peak_rss_bytes, record_step_ms, build_seconds};
    peak_rss_bytes is of this process. With `keep`, the store stays there and is used again the next time.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.home) as scratch:
        path = keep or Path(scratch) / "store.db"
        database = open_database(f"sqlite:///{path}")
        try:
            began = time.perf_counter()
            run_id = _filled(database, rows)
            seconds = time.perf_counter() - began
            return {"rows": rows, **_measured(database, run_id, rows), "build_seconds": round(seconds, 1)}
        finally:
            database.close()


def _measured(database: Database, run_id: str, rows: int) -> dict[str, Any]:
    taken = {name: _time(database, run_id, rows, asking, finding.list_completions) for name, asking in ASKED.items()}
    taken["count"] = [
        each for name in ("filter", "search") for each in _time(database, run_id, rows, ASKED[name], finding.overview)
    ]
    nbytes, of_tokens = checking.size_bytes(database), checking.table_bytes(database, "tokens")
    return {
        "p95_ms": {name: _p95(values) for name, values in taken.items()},
        "median_ms": {name: round(statistics.median(values), 1) for name, values in taken.items()},
        "max_ms": {name: round(max(values), 1) for name, values in taken.items()},
        "bytes_per_completion": round(nbytes / rows),
        "bytes_per_completion_without_tokens": round((nbytes - of_tokens) / rows),
        "tokens_per_completion": TOKENS,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024),
        "record_step_ms": _record_ms(database, run_id, rows),
    }


def _time(database: Database, run_id: str, rows: int, asking: Asking, ask: Callable[..., Any]) -> list[float]:
    """Milliseconds of QUERIES different questions, each asked once."""
    chance, taken = random.Random(rows), []
    for _ in range(QUERIES):
        wanted = asking(chance, rows)
        began = time.perf_counter()
        with database.reading() as connection:
            ask(connection, run_id, wanted)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


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


def _filled(database: Database, rows: int) -> str:
    """The id of a run with at least this many completions, recorded where they are missing."""
    with database.writing() as connection:
        runs = browsing.list_runs(connection)
        config = make_config({"model": "smollm2-135m", "recipe": "addition"})
        run = runs[0] if runs else lifecycle.enqueue(connection, config, name="bench")
    steps = -(-rows // (GROUPS * GROUP_SIZE))
    for start in range(run.step, steps, STEPS_AT_ONCE):
        with database.writing() as connection:
            for number in range(start + 1, min(start + STEPS_AT_ONCE, steps) + 1):
                recording.record_step(connection, run.id, _step(number, steps))
        sys.stderr.write(f"\r{min(start + STEPS_AT_ONCE, steps) * GROUPS * GROUP_SIZE:,} rows")
    sys.stderr.write("\n")
    return run.id


def _step(number: int, steps: int) -> Step:
    chance = random.Random(number)
    skill = 0.1 + 0.8 * min(1.0, number / steps)
    return Step(number, {"loss": 0.1}, {"generate": 1.0}, {}, tuple(_group(g, chance, skill) for g in range(GROUPS)))


def _group(index: int, chance: random.Random, skill: float) -> Group:
    made = [_completion(place, chance, skill) for place in range(GROUP_SIZE)]
    rewards = [one.reward or 0.0 for one in made]
    mean, spread = statistics.fmean(rewards), statistics.pstdev(rewards) + 1e-4
    members = tuple(dataclasses.replace(one, advantage=((one.reward or 0.0) - mean) / spread) for one in made)
    question = chance.randrange(PROMPTS)
    prompt = f"<|im_start|>user\nWhat is {question}+{question % 7}? {_words(random.Random(question), 30)}<|im_end|>\n"
    return Group(index, prompt, tuple(range(60)), {"answer": question % 40, "question": str(question)}, members)


def _completion(index: int, chance: random.Random, skill: float) -> Completion:
    form, right = chance.random() < 0.5 + skill / 2, chance.random() < skill
    scores = (RewardScore("correctness", float(right and form)), RewardScore("format", float(form)))
    reward = 0.8 * float(right and form) + 0.2 * float(form) * chance.random()
    length = chance.randint(4, TOKENS * 2 - 4)
    text = f"{_words(chance, length)} mark{chance.randrange(20_000)} <answer>{chance.randrange(40)}</answer><|im_end|>"
    ids = tuple(chance.choices(range(49152), k=length))
    logprobs = tuple(-chance.random() for _ in range(length))
    reason = "stop" if length < TOKENS * 1.8 else "length"
    return Completion(index, text, reason, reward, 0.0, scores, length, ids, logprobs)


def _words(chance: random.Random, count: int) -> str:
    return " ".join(WORDS[min(len(WORDS) - 1, int(chance.paretovariate(0.7)) - 1)] for _ in range(count))


def _record_ms(database: Database, run_id: str, rows: int) -> float:
    """Milliseconds to record one more step in a transaction of its own, the median of five."""
    with database.reading() as connection:
        last = browsing.get_run(connection, run_id).step
    taken = []
    for number in range(last + 1, last + 6):
        step = _step(number, rows)
        began = time.perf_counter()
        with database.writing() as connection:
            recording.record_step(connection, run_id, step)
        taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken), 1)


def _p95(values: list[float]) -> float:
    return round(sorted(values)[int(0.95 * (len(values) - 1))], 1)
