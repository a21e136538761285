"""The form that asks for completions. A plain form: the question is in the address and nowhere else."""

from collections.abc import Mapping, Sequence

from core.insights.reward_hacking import KINDS
from core.store.search.filter import ORDERS, CompletionFilter
from webui.present import esc

ORDER_NAMES = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "reward": "Highest reward",
    "-reward": "Lowest reward",
    "advantage": "Highest advantage",
    "-advantage": "Lowest advantage",
    "length": "Longest",
    "-length": "Shortest",
}
assert set(ORDER_NAMES) == set(ORDERS)
# What is seen without opening the filters; evidence has its buttons below them.
PLAIN = frozenset({"run", "search", "search_in", "sort", "limit", "after", "evidence"})


class FindForm:
    """`asked` are the texts of the address, shown as they are even where one of them cannot be."""

    def __init__(self, run_id: str, asked: Mapping[str, str], functions: Sequence[str], tags: Sequence[str]) -> None:
        self._run_id, self._asked, self._functions, self._tags = run_id, asked, functions, tags

    def html(self) -> str:
        return (
            '<form class="find" method="get" action="find" role="search">'
            f'<input type="hidden" name="run" value="{esc(self._run_id)}">{self._first_line()}'
            f'<details class="fold" data-key="filters"{" open" if self._narrowed() else ""}><summary>Filters</summary>'
            f'<div class="find-filters">{self._filters()}</div></details></form>'
        )

    def _first_line(self) -> str:
        orders = dict(ORDER_NAMES)
        for name in self._functions:
            orders |= {f"score:{name}": f"Highest {name}", f"-score:{name}": f"Lowest {name}"}
        hint = "Words, &quot;a phrase&quot;, or a beginning*"
        return (
            f'<div class="find-line"><input type="search" name="search" value="{self._value("search")}" '
            f'placeholder="{hint}" aria-label="Search">'
            f"{self._choice('search_in', 'in', {'answers': 'answers', 'prompts': 'prompts'})}"
            f"{self._choice('sort', 'Order', orders)}"
            '<button class="main-button">Find</button></div>'
        )

    def _filters(self) -> str:
        ends = {"": "any way", "stop": "by itself", "length": "cut at the limit"}
        tags = dict.fromkeys(["", *self._tags, *([self._asked["tag"]] if self._asked.get("tag") else [])])
        chosen = self._options({"": "any", **{name: name for name in self._functions}}, "score")
        function = f'<select name="score" aria-label="Reward function">{chosen}</select>'
        field = f'<input name="fields" value="{self._value("fields")}" placeholder="answer=7" translate="no">'
        return "".join(
            (
                self._range("Reward", "min_reward", "max_reward"),
                self._range("Score of", "min_score", "max_score", before=function),
                self._range("Advantage", "min_advantage", "max_advantage"),
                self._range("Tokens", "min_length", "max_length", "1"),
                self._range("Steps", "first_step", "last_step", "1"),
                self._choice("finish_reason", "Ended", ends),
                self._choice("flat", "Groups", {"": "all", "0": "with a spread", "1": "flat"}),
                f'<label class="field"><span>Recipe field</span>{field}</label>',
                self._choice("tag", "Tag", {tag: tag or "any" for tag in tags}),
                self._choice("flagged", "Flagged", {"": "all", "1": "flagged", "0": "not flagged"}),
                self._choice("evidence", "Worth a look", {"": "all", **KINDS}),
            )
        )

    def _range(self, label: str, low: str, high: str, step: str = "any", before: str = "") -> str:
        def end(name: str, word: str) -> str:
            return (
                f'<input type="number" step="{step}" name="{name}" value="{self._value(name)}" placeholder="{word}" '
                f'aria-label="{label}, {word}">'
            )

        return (
            f'<fieldset class="field"><legend>{label}</legend><div class="range">{before}{end(low, "from")}'
            f"<span>to</span>{end(high, 'to')}</div></fieldset>"
        )

    def _choice(self, name: str, label: str, options: Mapping[str, str]) -> str:
        made = self._options(options, name)
        return f'<label class="field"><span>{label}</span><select name="{name}">{made}</select></label>'

    def _options(self, options: Mapping[str, str], name: str) -> str:
        chosen = self._asked.get(name, "")
        names = ' translate="no"' if name in ("score", "tag") else ""
        return "".join(
            f'<option value="{esc(key)}"{" selected" if key == chosen else ""}{names if key else ""}>'
            f"{esc(text)}</option>"
            for key, text in options.items()
        )

    def _value(self, name: str) -> str:
        return esc(self._asked.get(name, ""))

    def _narrowed(self) -> bool:
        names = CompletionFilter.__annotations__.keys() - PLAIN
        return any(self._asked.get(name) for name in names)
