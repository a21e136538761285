"""What in a step's completions deserves a person's eye: signs of a reward that is gamed or a verifier that is wrong.

Each finding names a completion and says why, in figures. None is an alarm: short right answers and small verifiers
make findings on healthy runs too. Pure functions over one step; `core.store.rollouts.record` keeps what they find.
"""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.records.rollout import Completion, Group
from core.records.step import Step

# New kinds go to the end: what is stored counts them by their place.
KINDS: Mapping[str, str] = {
    "short": "High reward, far shorter than the rest of its step",
    "repetitive": "High reward, and most of it repeats itself",
    "answer-unrewarded": "Holds the reference answer, and the reward is low",
    "form-only": "The format is right, the content is wrong",
    "near-duplicate": "Nearly the same text as another answer to the same prompt",
    "jump": "A score rose suddenly in this step, and this completion has it",
}
WORD = re.compile(r"\w+")
SHORT_SHARE, SHORT_FROM = 1 / 3, 12  # of the step's median length, once that is worth speaking of (tokens)
REPEATED_SHARE, REPEATED_FROM, SPAN = 0.5, 24, 4  # of the spans of words; texts with fewer words are left alone
ALIKE_SHARE, ALIKE_FROM = 0.85, 16  # spans of words in common; short answers are alike because they are right
MOST_WORDS = 2000  # of a completion that are looked at
JUMP, JUMP_STEPS = 0.3, 3  # rise over the mean of that many steps before


@dataclass(frozen=True)
class Finding:
    """`group` and `index` name a completion of the step that was looked at."""

    group: int
    index: int
    kind: str
    detail: str


def scan_step(step: Step, earlier: Sequence[Mapping[str, float]] = ()) -> list[Finding]:
    """Everything found in a step. `earlier` are the mean scores by function of the steps before it, oldest first."""
    rewards = [one.reward for group in step.groups for one in group.completions if one.reward is not None]
    if not rewards:
        return []
    high = max(statistics.fmean(rewards), 1e-9)
    lengths = [one.length for group in step.groups for one in group.completions]
    jumps = _jumps(mean_scores(step), earlier)
    found = []
    for group in step.groups:
        for one in group.completions:
            reasons = [*_about(one, group, high, statistics.median(lengths)), *_jumped(one, jumps)]
            found += [Finding(group.index, one.index, kind, detail) for kind, detail in reasons]
        found += _alike(group)
    return found


def mean_scores(step: Step) -> dict[str, float]:
    """Each reward function's mean over the completions it could score."""
    values: dict[str, list[float]] = {}
    for group in step.groups:
        for one in group.completions:
            for score in one.scores:
                if score.value is not None:
                    values.setdefault(score.function, []).append(score.value)
    return {name: statistics.fmean(known) for name, known in values.items()}


def _about(one: Completion, group: Group, high: float, median: float) -> Iterator[tuple[str, str]]:
    is_high = one.reward is not None and one.reward >= high
    if is_high and median >= SHORT_FROM and one.length <= median * SHORT_SHARE:
        yield "short", f"Reward {one.reward:.2f} with {one.length} tokens; the step's median is {median:.0f}"
    if is_high and (share := repeated_share(one.text)) >= REPEATED_SHARE:
        yield "repetitive", f"Reward {one.reward:.2f}; {share:.0%} of its word sequences came before in the same text"
    answer = reference(group.fields)
    if answer and one.reward is not None and one.reward < min(high, 0.5) and _holds(one.text, answer):
        yield "answer-unrewarded", f"The reference answer {answer!r} is in the text, and the reward is {one.reward:.2f}"
    by_name = {score.function: score.value for score in one.scores}
    form = next((name for name in by_name if "format" in name), None)
    if form and (by_name[form] or 0.0) >= 1.0:
        wrong = [name for name, value in by_name.items() if name != form and value is not None and value <= 0.0]
        if wrong:
            yield (
                "form-only",
                f"{form} {by_name[form]:.2f}, {', '.join(f'{name} {by_name[name]:.2f}' for name in wrong)}",
            )


def repeated_share(text: str) -> float:
    """The share of a text's sequences of four words that occurred in it before, from 0 to 1; 0 for short texts."""
    words = WORD.findall(text[: MOST_WORDS * 20].lower())[:MOST_WORDS]
    if len(words) < REPEATED_FROM:
        return 0.0
    spans = list(zip(*(words[start:] for start in range(SPAN)), strict=False))
    return 1 - len(set(spans)) / len(spans)


def reference(fields: Mapping[str, object]) -> str:
    """The recipe's reference answer where it is one short text or number, else ""."""
    answer = fields.get("answer")
    return str(answer) if isinstance(answer, (str, int, float)) and len(str(answer)) <= 100 else ""


def _holds(text: str, answer: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(answer)}(?!\w|\.\d)", text[:100_000]) is not None


def _alike(group: Group) -> Iterator[Finding]:
    """Each completion is compared with those before it; the first of a family is no finding."""
    seen: list[tuple[int, frozenset[tuple[str, ...]]]] = []
    for one in group.completions:
        words = WORD.findall(one.text[: MOST_WORDS * 20].lower())[:MOST_WORDS]
        if len(words) < ALIKE_FROM:
            continue
        spans = frozenset(zip(words, words[1:], words[2:], strict=False))
        for other, theirs in seen:
            share = len(spans & theirs) / len(spans | theirs)
            if share >= ALIKE_SHARE:
                detail = f"{share:.0%} of its word sequences are those of completion {other + 1} of its group"
                yield Finding(group.index, one.index, "near-duplicate", detail)
                break
        seen.append((one.index, spans))


def _jumps(now: Mapping[str, float], earlier: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """Function -> what happened, for each whose mean rose by JUMP or more."""
    found = {}
    for name, mean in now.items():
        before = [means[name] for means in earlier[-JUMP_STEPS:] if name in means]
        if len(before) == JUMP_STEPS and mean - statistics.fmean(before) >= JUMP:
            found[name] = f"Mean {name} went from {statistics.fmean(before):.2f} to {mean:.2f} in this step"
    return found


def _jumped(one: Completion, jumps: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The completions that made the jump: those that have the score."""
    reasons = [jumps[score.function] for score in one.scores if score.function in jumps and (score.value or 0.0) > 0.5]
    if reasons:
        yield "jump", "; ".join(reasons)
