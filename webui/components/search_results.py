"""What a question found, in figures: how many, how their rewards lie, and the ways on from there."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from core.insights.reward_hacking import KINDS
from core.store.search.query import Overview
from core.units import thin
from webui.present import esc, own, reward

FORMATS = {"jsonl": "JSONL", "csv": "CSV", "parquet": "Parquet"}


def evidence_links(run_id: str, counts: Mapping[str, int], chosen: str) -> str:
    """What the look at each step found, by kind: each a link to the completions it found."""
    if not run_id:
        return ""
    nothing = (
        '<span class="soft">Nothing was found. Steps are looked at when they are recorded; those of older versions '
        f"were not, and <code>grouper review {esc(run_id)}</code> looks through them.</span>"
    )
    links = "".join(
        f'<a class="small-button" href="find?{esc(urlencode({"run": run_id, "evidence": kind}))}"'
        f"{' aria-current=true' if kind == chosen else ''}>{esc(KINDS[kind])} <b>{thin(count)}</b></a>"
        for kind, count in counts.items()
    )
    hint = "Signs of a reward that is gamed or a check that is wrong; a person decides"
    return (
        '<section class="evidence" aria-label="Worth a look">'
        f'<h2>Worth a look<span class="hint">{hint}</span></h2><p>{links or nothing}</p></section>'
    )


def found_line(found: Overview, address: str, formats: Sequence[str]) -> str:
    """How many there are, their histogram, and the files to take them along in."""
    word = "completion" if (found.count, found.more) == (1, False) else "completions"
    count = f"{'At least ' if found.more else ''}{thin(found.count)} {word}"
    of = ' <span class="soft">The rewards are those of the completions counted.</span>' if found.more else ""
    links = "".join(
        f'<a class="small-button" href="export?{esc(address)}&amp;format={name}" download>{own(FORMATS[name])}</a>'
        for name in formats
    )
    export = f'<span class="export"><span class="soft">Export</span> {links}</span>' if found.count and links else ""
    return f'<div class="found"><p role="status"><b>{count}</b>{of}</p>{histogram(found, address)}{export}</div>'


def histogram(found: Overview, address: str) -> str:
    """Each bar leads to its completions."""
    if not found.edges:
        return ""
    most = max(found.bins)
    bars = []
    for place, count in enumerate(found.bins):
        low, high = found.edges[place], found.edges[place + 1]
        bounds = urlencode({"min_reward": f"{low:.4g}", "max_reward": f"{high:.4g}"})
        label = f"{thin(count)} with reward {reward(low)} to {reward(high)}"
        link = f'href="find?{esc(address)}&amp;{bounds}" title="{label}" aria-label="{label}"'
        bars.append(f'<a {link} style="--h:{count / most:.0%}"></a>' if count else "<i></i>")
    ends = f"<span>{reward(found.edges[0])}</span><span>reward</span><span>{reward(found.edges[-1])}</span>"
    return f'<div class="histogram"><div>{"".join(bars)}</div><p>{ends}</p></div>'


def next_pages(address: str, cursor: str, started: bool) -> str:
    first = f'<a class="small-button" href="find?{esc(address)}">First page</a>' if started else ""
    after = f"{esc(address)}&amp;{urlencode({'after': cursor})}"
    more = f'<a class="small-button" rel="next" href="find?{after}">Next page</a>' if cursor else ""
    return f'<nav class="pages" aria-label="Pages of completions">{first}{more}</nav>'
