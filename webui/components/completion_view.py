"""The parts of one completion's page."""

import json

from core.insights.reward_hacking import KINDS
from core.records.rollout import Completion, Group
from core.tasks.template import written
from core.units import plural, thin
from webui.components.completions import permalink, reward_pill
from webui.present import definitions, esc, own, reward, said_text, sentence, signed

WINDOW = 20_000  # characters shown at a time
COPIED = 2_000_000  # characters that the copy button takes along


def text_window(one: Completion, start: int, address: str) -> str:
    """The text from `start`, WINDOW characters of it, and the ways to the rest."""
    total = len(one.text)
    start = max(0, min(start, total - 1)) // WINDOW * WINDOW
    end = min(total, start + WINDOW)
    pages = ""
    if total > WINDOW:
        links = [
            f'<a class="small-button" href="{esc(address)}&amp;from={place}">{word}</a>'
            for word, place, there in (("Previous", start - WINDOW, start > 0), ("Next", end, end < total))
            if there
        ]
        count = f"Characters {thin(start + 1)} to {thin(end)} of {thin(total)}"
        pages = f'<p class="pages"><span class="count">{count}</span>{"".join(links)}</p>'
    shown = said_text(one.text[start:end]) if one.text else '<p class="soft">(empty)</p>'
    return (
        f'<div class="with-copy"><h2>Answer</h2>{_copy(one.text)}</div><div class="answer-whole">{shown}</div>{pages}'
    )


def facts(one: Completion) -> str:
    """Its figures, its scores with their errors, why it was noticed."""
    ended = "cut at the limit" if one.finish_reason == "length" else "by itself"
    figures = [
        ("Reward", reward_pill(one)),
        ("Advantage", signed(one.advantage) + (' <span class="soft">flat group</span>' if one.flat else "")),
        ("Length", plural(one.length, "token")),
        ("Ended", ended),
    ]
    failed = any(score.error for score in one.scores)
    rows = "".join(
        f'<tr><th scope="row" translate="no">{esc(score.function)}</th><td class="number">{reward(score.value)}</td>'
        + (f'<td translate="no">{esc(score.error)}</td></tr>' if failed else "</tr>")
        for score in one.scores
    )
    noticed = "".join(
        f"<li><b>{esc(KINDS.get(kind, kind))}</b> {sentence(detail)}</li>" for kind, detail in one.evidence.items()
    )
    extra = definitions([(name, own(written(value))) for name, value in one.extra.items()], kind="words")
    said_more = f"<h2>Said beside the scores</h2>{extra}" if one.extra else ""
    why = f'<h2>Worth a look</h2><ul class="noticed">{noticed}</ul>' if noticed else ""
    tags = "".join(f'<span class="tag" translate="no">{esc(tag)}</span>' for tag in one.remark.tags)
    said = f'<span class="tag flagged">Flagged</span>{tags}' if one.remark.flagged else tags
    marks = f'<p class="marks">{said}</p>' if said else ""
    return f'{definitions(figures)}<table class="table rewards"><tbody>{rows}</tbody></table>{said_more}{marks}{why}'


def neighbours(group: Group, one: Completion) -> str:
    """The other answers to the same prompt, best first."""
    links = "".join(
        f'<a href="{permalink(each)}"{" aria-current=page" if each.id == one.id else ""} '
        f'title="Answer {each.index + 1}">{reward(each.reward)}</a>'
        for each in group.completions
    )
    return f'<nav class="tabs" aria-label="Answers to this prompt">{links}</nav>'


def _copy(text: str) -> str:
    """A button that copies the text exactly as it is stored, which the page's own text is not."""
    if len(text) > COPIED:
        return ""
    return f'<button type="button" class="small-button" data-copy-text="{esc(json.dumps(text))}">Copy</button>'
