"""Records as text and HTML. Pure functions; every text that people or models wrote is escaped here."""

import datetime
import html
import re
from collections.abc import Iterable, Sequence

from core.models.tokens import SPECIAL
from core.records.run import Failure, Run
from core.records.status import RunStatus
from core.records.step import Step
from core.units import duration, thin

NOTHING = '<span class="soft">–</span>'
FOLD = 700  # characters shown before the rest is folded
LONGEST = 10_000  # characters of a text in a list of texts; the whole has a page of its own
# Special tokens, and marks of a turn that some templates write as plain text: a reader wants both dimmed, but a reward
# function is given the latter, so they are none of SPECIAL.
DIMMED = re.compile(rf"({SPECIAL.pattern}|\[/?INST\])")
# What cannot be seen, or bends the text around it: control characters, marks of direction, invisible letters. Joiners
# and variation selectors stay, or emoji and many scripts would fall apart.
UNSEEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
CODE = re.compile(r"`([^`]+)`")
RECENT_STEPS = 10  # the pace that the time left is judged by


def esc(text: object) -> str:
    """Text as HTML shows it; safe inside elements and inside quoted attributes."""
    return html.escape(str(text), quote=True)


def own(text: object) -> str:
    """A name, or words of a person or a model: the same in every language."""
    return f'<span translate="no">{esc(text)}</span>'


def sentence(text: object) -> str:
    """A sentence made elsewhere, in English where no catalogue has it."""
    return f'<span lang="en">{worded(str(text))}</span>'


def worded(text: str) -> str:
    """Escaped text in which `commands and fields` are set as code."""
    return CODE.sub(r"<code>\1</code>", esc(text))


def capitalised(text: str) -> str:
    """A capital at the start and the rest as it is: "KV cache" stays "KV cache"."""
    return text[:1].upper() + text[1:]


def reward(value: float | None) -> str:
    """A reward with two decimals, so that columns of them line up."""
    return "–" if value is None else f"{value:.2f}"


def signed(value: float) -> str:
    """+0.94, −1.20: with a real minus sign."""
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def moment(at: float) -> str:
    """12:03:09 UTC on that day's clock."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%H:%M:%S")


def full_moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(since: float, now: float, style: str = "") -> str:
    """A time that goes on counting in the browser: how long ago ("ago"), or for how long."""
    passed = max(0.0, now - since)
    text = f"{duration(passed)} ago" if style == "ago" else duration(passed)
    return (
        f'<time data-since="{since:.2f}" data-now="{now:.2f}" data-clock="{esc(style)}" '
        f'title="{full_moment(since)}">{text}</time>'
    )


def progress_bar(done: int, total: int, label: str) -> str:
    share = min(1.0, done / total) if total else 0.0
    return (
        f'<div class="progress" role="progressbar" aria-label="{esc(label)}" aria-valuemin="0" '
        f'aria-valuemax="{total}" aria-valuenow="{done}"><div style="width:{share:.2%}"></div></div>'
    )


def panel(kind: str, title: str, *paragraphs: str, details: str = "") -> str:
    """A calm box: what happened, why, what to do; `kind` is "error", "notice" or "good". Text in, HTML out."""
    body = "".join(f'<p lang="en">{worded(text)}</p>' for text in paragraphs if text)
    more = copyable("Details", details) if details else ""
    role = "alert" if kind == "error" else "note"
    return f'<section class="panel-box {esc(kind)}" role="{role}"><h3>{esc(title)}</h3>{body}{more}</section>'


def copyable(title: str, text: str, key: str = "details") -> str:
    """A folded block of text with a button that copies it."""
    return (
        f'<details class="fold" data-key="{esc(key)}"><summary>{esc(title)}</summary>'
        f'<button type="button" class="small-button" data-copy>Copy</button><pre class="block">{esc(text)}</pre>'
        "</details>"
    )


def failure_panel(failure: Failure | None, status: RunStatus) -> str:
    if failure is None:
        return ""
    title = "The worker was lost" if status is RunStatus.LOST else f"The run failed: {failure.kind.replace('-', ' ')}"
    return panel("error", title, failure.message, failure.remedy, details=failure.details)


def empty_state(title: str, text: str, action: str = "", href: str = "") -> str:
    button = f'<a class="main-button" href="{esc(href)}">{esc(action)}</a>' if action else ""
    return f'<section class="empty"><h2>{esc(title)}</h2><p lang="en">{worded(text)}</p>{button}</section>'


def skeleton(lines: int = 3) -> str:
    """The shape of what comes."""
    return f'<div class="skeleton" aria-hidden="true">{"<i></i>" * lines}</div>'


def folded(text: str, whole: str = "") -> str:
    """The text; beyond FOLD characters the rest is folded behind its count, beyond LONGEST it is left to `whole`,
    the address of a page that shows it."""
    if len(text) <= FOLD * 1.2:
        return said_text(text) if text else '<pre class="said"><span class=soft>(empty)</span></pre>'
    kept = text[FOLD:LONGEST] if whole else text[FOLD:]
    left = len(text) - FOLD - len(kept)
    link = f'<p><a href="{esc(whole)}">Open the other {thin(left)} characters</a></p>' if left else ""
    return (
        f'{said_text(text[:FOLD])}<details class="more"><summary>{thin(len(text) - FOLD)} more characters'
        f"</summary>{said_text(kept)}{link}</details>"
    )


def said_text(text: str) -> str:
    """Text as it was said, in the direction of its script. HTML drops a line break after the tag; it gets another."""
    first = "\n" if text.startswith("\n") else ""
    return f'<pre class="said" dir="auto">{first}{marked(text)}</pre>'


def marked(text: str) -> str:
    """Escaped text with special tokens dimmed but visible, and what cannot be seen shown by its sign or number."""
    pieces = [esc(piece) for piece in DIMMED.split(text)]  # what is dimmed is every second one
    pieces[1::2] = (f'<span class="special">{piece}</span>' for piece in pieces[1::2])
    dimmed = "".join(pieces)
    return UNSEEN.sub(lambda found: _control(found.group()), dimmed)


def _control(character: str) -> str:
    code = ord(character)
    sign = chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else f"U+{code:04X}"
    return f'<span class="control" data-code="{code:X}" title="U+{code:04X}">{sign}</span>'


def definitions(pairs: Iterable[tuple[str, str]], kind: str = "figures") -> str:
    """Terms and their values; the values are HTML already."""
    rows = "".join(f"<div><dt>{esc(term)}</dt><dd>{value}</dd></div>" for term, value in pairs)
    return f'<dl class="{kind}">{rows}</dl>'


def seconds_left(run: Run, steps: Sequence[Step]) -> float | None:
    """Steps still to do at the pace of the last few; None before there is a pace."""
    recent = [step.at for step in steps[-RECENT_STEPS:]]
    if len(recent) < 2 or run.status.is_final:
        return None
    return (recent[-1] - recent[0]) / (len(recent) - 1) * (run.config.steps - run.step)
