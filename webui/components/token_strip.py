"""The tokens of a completion, each coloured by one of its measures. A window of them at a time."""

import math
from collections.abc import Mapping, Sequence

from core.records.rollout import Completion
from core.units import thin
from webui.present import esc, marked, signed

WINDOW = 1000  # tokens
# measure -> (its name, what it is, whether it has a sign, the value that is drawn in full)
MEASURES: Mapping[str, tuple[str, str, bool, float]] = {
    "logprob": (
        "Sampling logprob",
        "How likely the engine held the token when it drew it; strong colour is a surprise.",
        False,
        5,
    ),
    "trainer": ("Trainer logprob", "The same token as the trainer scored it; strong colour is a surprise.", False, 5),
    "difference": ("Difference", "Trainer's logprob less the engine's; far from zero the two disagree.", True, 0.5),
    "entropy": ("Entropy", "How undecided the model was before the token, in nats.", False, 3),
    "advantage": ("Advantage", "What the update pushes every token of this completion by.", True, 2),
}


def known_measures(completion: Completion) -> list[str]:
    """The measures that are stored for this completion."""
    count = len(completion.token_ids)
    trainer = count > 0 and len(completion.trainer_logprobs) == count
    has = {
        "logprob": count > 0 and len(completion.logprobs) == count,
        "trainer": trainer,
        "difference": trainer and len(completion.logprobs) == count,
        "entropy": count > 0 and len(completion.entropies) == count,
        "advantage": count > 0,
    }
    return [name for name in MEASURES if has[name]]


def token_strip(completion: Completion, texts: Sequence[str] | None, measure: str, start: int, address: str) -> str:
    """Tokens from `start` on. `texts` are theirs, None where only ids are known; `address` links other views."""
    known = known_measures(completion)
    if not known:
        return '<p class="soft">No tokens are stored for this completion.</p>'
    measure = measure if measure in known else known[0]
    count = len(completion.token_ids)
    start = max(0, min(start, count - 1)) // WINDOW * WINDOW
    end = min(count, start + WINDOW)
    spans = "".join(_token(completion, place, texts, measure) for place in range(start, end))
    ids = "" if texts is not None else '<p class="soft">The tokenizer is not on this disk: token ids are shown.</p>'
    return (
        f'<nav class="tabs" aria-label="Measure">{_choices(known, measure, start, address)}</nav>'
        f'<p class="soft">{MEASURES[measure][1]} Point at a token for its figures.{_key(measure)}</p>{ids}'
        f'<div class="tokens" dir="auto" translate="no">{spans}</div>{_pages(start, end, count, measure, address)}'
    )


def value_at(completion: Completion, measure: str, place: int) -> float:
    """A measure of one token; not a number where the trainer left the completion out."""
    if measure == "difference":
        return completion.trainer_logprobs[place] - completion.logprobs[place]
    if measure == "advantage":
        return completion.advantage
    values = {"logprob": "logprobs", "trainer": "trainer_logprobs", "entropy": "entropies"}[measure]
    return float(getattr(completion, values)[place])


def _key(measure: str) -> str:
    """From which value to which the colours go."""
    _, _, has_sign, full = MEASURES[measure]
    first, last = (f"−{full:g}", f"+{full:g}") if has_sign else ("0", f"{full:g}")
    if measure in ("logprob", "trainer"):
        last = f"−{last}"
    kind = "key signed" if has_sign else "key"
    return f' <span class="{kind}" translate="no">{first}<i></i>{last}</span>'


def _token(completion: Completion, place: int, texts: Sequence[str] | None, measure: str) -> str:
    value = value_at(completion, measure, place)
    token = completion.token_ids[place]
    text = f"#{token} " if texts is None else texts[place]
    _, _, signed_measure, full = MEASURES[measure]
    share = 0.0 if math.isnan(value) else min(1.0, abs(value) / full)
    side = " minus" if signed_measure and value < 0 else " plus" if signed_measure else ""
    shown = marked(text) if text else '<span class="control" title="Part of the next character">·</span>'
    breaks = "<br>" if text.endswith("\n") else ""
    shown = shown.replace("\n", "↵")
    title = esc("\n".join(_figures(completion, place)))
    return f'<span class="token{side}" style="--share:{share:.0%}" title="{title}">{shown}</span>{breaks}'


def _figures(completion: Completion, place: int) -> list[str]:
    lines = [f"Token {place + 1}, id {completion.token_ids[place]}"]
    for measure in known_measures(completion):
        value = value_at(completion, measure, place)
        chance = f" ({math.exp(min(0.0, value)):.1%})" if measure in ("logprob", "trainer") else ""
        figure = "not scored" if math.isnan(value) else signed(value) if MEASURES[measure][2] else f"{value:.3f}"
        lines.append(f"{MEASURES[measure][0]}: {figure}{chance}")
    return lines


def _choices(known: Sequence[str], current: str, start: int, address: str) -> str:
    links = ""
    for name in known:
        here = " aria-current=page" if name == current else ""
        href = f"{esc(address)}&amp;measure={name}&amp;token={start}"
        links += f'<a href="{href}"{here}>{MEASURES[name][0]}</a>'
    return links


def _pages(start: int, end: int, count: int, measure: str, address: str) -> str:
    if count <= WINDOW:
        return ""
    links = [
        f'<a class="small-button" href="{esc(address)}&amp;measure={measure}&amp;token={place}">{word}</a>'
        for word, place, there in (("Previous", start - WINDOW, start > 0), ("Next", end, end < count))
        if there
    ]
    place = f"Tokens {thin(start + 1)} to {thin(end)} of {thin(count)}"
    return f'<p class="pages"><span class="count">{place}</span>{"".join(links)}</p>'
