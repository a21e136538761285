"""`/new-task`: a task of one's own in four steps, with the preview always beside them."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import gradio as gr
from gradio.components import Component

from core.errors import GrouperError, InvalidInput
from core.installation import detected_gpu
from core.jobs.trying import prompt_tokens
from core.tasks.data import BadRow, DataSource
from core.tasks.data.order import sample_indices
from core.tasks.data.rules import checked_row
from core.tasks.own.build import OwnTask
from core.tasks.own.drafting import Draft, draft_of, draft_task, name_of
from core.tasks.own.examination import examine, unasked
from core.tasks.registry import INDEXES
from core.tasks.rewards.library import LIBRARY, OUTSIDE
from core.tasks.sandbox.reading import read_own_code
from webui.components.live import live, still
from webui.components.task_view import columns_view, examination_view, prompt_view, tokens_view
from webui.language import words
from webui.pages.frame import QUIET, error_panel, or_else, page_body, refusal, title
from webui.pages.launch_form import model_choices
from webui.pages.task_form import (
    FIELDS,
    OWN,
    SLOTS,
    Drafting,
    copied,
    drafted,
    filled,
    kept,
    new_folder,
    own_of,
    reward_rows,
    spec_of,
    taken_in,
)
from webui.pages.tasks import address
from webui.present import esc, panel, skeleton
from webui.services import Services

COUNTED = 2000  # prompts whose lengths are drawn
DEFAULT_MODEL = "smollm2-135m"
NOTE = "Four steps. What a model would be asked stands beside them; nothing is trained yet."
WAITING = '<p class="soft">Open the data, and the first prompt stands here.</p>'


def build(app: gr.Blocks, services: Services) -> None:
    state = gr.State(Drafting())
    with page_body():
        still(title("New task", NOTE))
        problem = live(elem_id="problem")
        if services.read_only:
            still(panel("notice", "This dashboard is read-only", "Tasks are made elsewhere."))
            return
        with gr.Row(elem_classes="split", equal_height=False):
            with gr.Column(elem_classes="form-side", scale=6, min_width=320):
                data = _data_step()
                fields = _prompt_step()
                slots = _rewards_step(fields)
                _save_step(fields)
                save = gr.Button(words("Save task"), variant="primary", elem_id="save-task")
                outcome = live(elem_id="outcome")
            with gr.Column(elem_classes="plan-side", scale=5, min_width=320):
                side = _preview_side(services)
    form = [*(fields[name] for name in FIELDS), *(part for slot in slots for part in slot)]
    page = _Page(services, state, data, form, side, problem, outcome)
    page.register(app, save, [fields["add"], *slots])


def _data_step() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="card step"):
        still("<h2>1 Data</h2>")
        parts["upload"] = gr.File(
            label=words("A file: CSV, JSONL or Parquet"),
            file_types=[".csv", ".jsonl", ".parquet", ".gz", ".zst", ".zip"],
            type="filepath",
            elem_id="upload",
            height=150,
        )
        parts["source"] = gr.Textbox(
            label=words("Or where it lies"),
            info=words("A file or folder on the dashboard's machine, or hub:owner/name."),
            max_lines=1,
            elem_id="field-source",
        )
        with gr.Accordion(words("Hub data set"), open=False), gr.Row(elem_classes="knobs"):
            for name, hint in (("config", "Config"), ("split", "Split"), ("revision", "Revision")):
                parts[name] = gr.Textbox(label=words(hint), max_lines=1, elem_id=f"field-{name}")
        parts["open"] = gr.Button(words("Open data"), elem_id="open-data")
        parts["columns"] = live(elem_id="columns")
        with gr.Row(elem_classes="pair", visible=False) as roles:
            parts["question"] = gr.Dropdown([], label=words("Question"), elem_id="field-question")
            parts["answer"] = gr.Dropdown([], label=words("Answer"), elem_id="field-answer")
        parts["roles"] = roles
    return parts


def _prompt_step() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="card step"):
        still(
            "<h2>2 Prompt</h2>"
            '<p class="soft" translate="no"><span translate="yes">A column stands in braces:</span> {question}</p>'
        )
        parts["system"] = gr.Textbox(label=words("System"), lines=1, max_lines=6, elem_id="field-system")
        parts["user"] = gr.Textbox(label=words("User"), lines=2, max_lines=12, elem_id="field-user")
        parts["gold"] = gr.Textbox(
            label=words("Gold answer"),
            info=words("What a perfect completion looks like; examples are shown with it."),
            lines=1,
            max_lines=6,
            elem_id="field-gold",
        )
        with gr.Row(elem_classes="knobs"):
            parts["shots"] = gr.Number(
                0,
                precision=0,
                label=words("Examples shown"),
                info=words("Rows with their answers."),
                elem_id="field-shots",
            )
            parts["messages"] = gr.Textbox(
                label=words("Or a column of chats"),
                max_lines=1,
                elem_id="field-messages",
                info=words("Instead of User."),
            )
    return parts


def _rewards_step(fields: dict[str, Any]) -> list[tuple[Component, Component, Component]]:
    slots: list[tuple[Component, Component, Component]] = []
    with gr.Column(elem_classes="card step"):
        still("<h2>3 Rewards</h2>")
        for number in range(SLOTS):
            with gr.Row(elem_classes="reward-slot"):
                what = gr.Dropdown(
                    _reward_choices(""),
                    label=words("Reward"),
                    elem_id=f"reward-{number}",
                    value="",
                    visible=number == 0,
                )
                weight = gr.Number(
                    1.0, label=words("Weight"), elem_id=f"weight-{number}", visible=number == 0, min_width=80, scale=0
                )
                options = gr.Textbox(
                    label=words("Options"),
                    placeholder='inside = "answer"',
                    lines=2,
                    max_lines=8,
                    elem_id=f"options-{number}",
                    visible=number == 0,
                )
            slots.append((what, weight, options))
        with gr.Row(elem_classes="buttons-line"):
            fields["add"] = gr.Button(words("Add a reward"), size="sm", scale=0, elem_id="add-reward")
        with gr.Accordion(words("A function of your own"), open=False, elem_id="own-code"):
            still(
                '<p class="soft">A function in the form of TRL, verl or ms-swift, unchanged. It runs in a sandbox, and '
                "only after you have agreed to the file on the task&#x27;s page.</p>"
            )
            fields["code"] = gr.Code(language="python", label="rewards.py", elem_id="field-code", lines=8)
    return slots


def _save_step(fields: dict[str, Any]) -> None:
    with gr.Column(elem_classes="card step"):
        still("<h2>4 Save</h2>")
        with gr.Row(elem_classes="knobs"):
            fields["name"] = gr.Textbox(label=words("Name"), max_lines=1, elem_id="field-task-name")
            fields["title"] = gr.Textbox(label=words("Title"), max_lines=1, elem_id="field-title")
            fields["held_out"] = gr.Number(
                64, precision=0, label=words("Rows held out"), info=words("For evaluation."), elem_id="field-held-out"
            )
            fields["bad_rows"] = gr.Radio(
                [(words("leave out"), "leave-out"), (words("stop"), "stop")],
                value="leave-out",
                label=words("Bad rows"),
                elem_id="field-bad-rows",
            )


def _preview_side(services: Services) -> dict[str, Any]:
    side: dict[str, Any] = {}
    with gr.Row(elem_classes="title-line"):
        still("<h2>Preview</h2>")
        side["row"] = gr.Number(
            1, precision=0, label=words("Row"), elem_id="field-row", min_width=80, scale=0, minimum=1
        )
    side["preview"] = live(WAITING, elem_id="preview")
    with gr.Row(elem_classes="knobs"):
        side["model"] = gr.Dropdown(
            model_choices(services, detected_gpu().id),
            value=DEFAULT_MODEL,
            allow_custom_value=True,
            label=words("As this model gets it"),
            elem_id="field-model",
        )
    with gr.Row(elem_classes="buttons-line"):
        side["show"] = gr.Button(words("Show tokens"), size="sm", scale=0, elem_id="show-tokens")
        side["check"] = gr.Button(words("Check all rows"), size="sm", scale=0, elem_id="check-rows")
    side["tokens"] = live(elem_id="tokens")
    side["rows"] = live(elem_id="rows")
    return side


class _Page:
    """The handlers, with the components that they answer to."""

    def __init__(
        self,
        services: Services,
        state: gr.State,
        data: dict[str, Any],
        form: Sequence[Component],
        side: dict[str, Any],
        problem: Component,
        outcome: Component,
    ) -> None:
        self._services, self._settings = services, services.settings
        self._state, self._opening, self._form, self._side = state, data, form, side
        self._problem, self._outcome = problem, outcome

    def register(self, app: gr.Blocks, save: gr.Button, rewards: Sequence[Any]) -> None:
        data, side, form, state = self._opening, self._side, list(self._form), self._state
        opened = [self._problem, state, data["columns"], data["roles"], data["question"], data["answer"], *form]
        opened.append(side["preview"])
        asked = [data[name] for name in ("upload", "source", "config", "split", "revision")]
        latest = {**QUIET, "trigger_mode": "always_last"}
        app.load(self._guarded(self.arrive, len(opened)), None, opened, **QUIET)
        data["open"].click(self._guarded(self.open, len(opened)), asked, opened, **QUIET)
        data["upload"].upload(self._guarded(self.open, len(opened)), asked, opened, **QUIET)
        roles = [data["question"], data["answer"]]
        gr.on(
            [each.input for each in roles], self._guarded(self.redraft, len(opened)), [state, *roles], opened, **latest
        )
        given = [state, side["row"], *form]
        changes = [event for part in form for event in ([part.input] if hasattr(part, "input") else [part.change])]  # type: ignore[attr-defined]
        gr.on([*changes, side["row"].input], self.preview, given, side["preview"], **latest)
        side["show"].click(self.tokens, [side["model"], *given], [side["tokens"], side["show"]], **QUIET)
        side["check"].click(self.check, given, [side["rows"], side["check"]], **QUIET)
        save.click(self.save, [state, *form], self._outcome, **QUIET)
        add, *slots = rewards
        add.click(_one_more, [slot[0] for slot in slots], [part for slot in slots for part in slot], **QUIET)
        code = form[FIELDS.index("code")]
        kinds = [slot[0] for slot in slots]
        for what, _, options in slots:
            what.input(_hint, what, options, **latest)
        code.input(_choices_with, code, kinds, **latest)  # type: ignore[attr-defined]

    def _guarded(self, handler: Callable[..., list[Any]], outputs: int) -> Callable[..., list[Any]]:
        guard = or_else(lambda error: [error_panel(error, "The data cannot be used"), *[gr.skip()] * (outputs - 1)])
        return guard(handler)

    def arrive(self, request: gr.Request) -> list[Any]:
        """A copy of a saved task where the address names one."""
        name = request.query_params.get("from", "")
        if not name:
            return ["", Drafting(), "", gr.skip(), gr.skip(), gr.skip(), *[gr.skip()] * len(self._form), WAITING]
        drafting, draft = copied(self._settings, name)
        return self._shown(drafting, draft)

    def open(self, upload: str | None, source: str, *hub: str | None) -> list[Any]:
        """Opens the data, guesses what its columns are for, and drafts a task."""
        folder = new_folder(self._settings)
        location = taken_in(upload, source or "", folder, self._settings)
        asked = DataSource(location, *((part or "").strip() for part in hub))
        draft = draft_task(asked, name_of(location), base=folder, cache=self._settings.tasks / INDEXES)
        own = OwnTask(draft.spec, folder, self._settings.tasks / INDEXES)
        described = draft.spec.data.model_dump(exclude_defaults=True)
        return self._shown(drafted(folder, own.table, described, draft.guesses, draft.spec.start), draft)

    def redraft(self, drafting: Drafting, question: str | None, answer: str | None) -> list[Any]:
        """The same data with other columns as question and answer."""
        table = OwnTask(_any_spec(drafting), drafting.path, self._settings.tasks / INDEXES).table
        roles: dict[str, Any] = {column: "field" for column in drafting.columns}
        roles |= {question: "prompt"} if question else {}
        roles |= {answer: "answer"} if answer else {}
        name = name_of(str(drafting.data["source"]))
        draft = draft_of(table, name, roles, drafting.guesses, table.first(200))
        return self._shown(drafting, draft)

    def _shown(self, drafting: Drafting, draft: Draft) -> list[Any]:
        """Every output of a draft."""
        own = own_of(self._settings, drafting, draft.spec, draft.code)
        table, assumed = own.table, draft.spec.prompt
        assert assumed
        values, rewards = filled(draft), reward_rows(draft.spec)
        more = f"{table.known:,} rows" if table.complete else f"at least {table.known:,} rows"
        columns = columns_view(table.columns, drafting.guesses, f"{more}, {len(table.columns)} columns.")
        names = list(drafting.columns)
        question, answer = _column_in(assumed.user, names), _column_in(assumed.gold, names)
        choices = _reward_choices(draft.code)
        slots: list[Any] = []
        for place in range(SLOTS):
            what, weight, options = rewards[place] if place < len(rewards) else ("", 1.0, "")
            there = place < max(1, len(rewards))
            slots += [
                gr.Dropdown(choices=choices, value=what, visible=there),
                gr.Number(value=weight, visible=there),
                gr.Textbox(value=options, visible=there),
            ]
        return [
            "",
            drafting,
            columns,
            gr.Row(visible=not assumed.messages),
            gr.Dropdown(choices=names, value=question),
            gr.Dropdown(choices=["", *names], value=answer),
            *(values[name] for name in FIELDS),
            *slots,
            _preview(own, 1),
        ]

    def _own(self, drafting: Drafting, form: Sequence[Any]) -> OwnTask:
        fields = dict(zip(FIELDS, form, strict=False))
        slots = form[len(FIELDS) :]
        rewards = [(str(slots[at] or ""), slots[at + 1], str(slots[at + 2] or "")) for at in range(0, len(slots), 3)]
        spec = spec_of(drafting, fields, rewards)
        return own_of(self._settings, drafting, spec, str(fields["code"] or ""))

    def preview(self, drafting: Drafting, row: Any, *form: Any) -> str:
        if not drafting.folder:
            return WAITING

        @or_else(lambda error: error_panel(error, "This cannot be asked yet"))
        def seen() -> str:
            return _preview(self._own(drafting, form), int(row or 1))

        return seen()

    def tokens(self, model: str, drafting: Drafting, row: Any, *form: Any) -> Iterator[list[Any]]:
        """The shown row token by token, and how long prompts are."""
        busy, ready = gr.Button(interactive=False), gr.Button(interactive=True)
        yield [skeleton(3), busy]
        try:
            own = self._own(drafting, form)
            shown = own.example(checked_row(own.table, int(row or 1) - 1, own.rules)).prompt
            found = prompt_tokens(self._settings, str(model).strip(), [shown], [shown, *_some_prompts(own)])
            room = int(own.spec.start.get("prompt_tokens", 256))
            yield [tokens_view(found, room), ready]
        except Exception as error:
            yield [error_panel(error, "The tokens cannot be shown"), ready]

    def check(self, drafting: Drafting, row: Any, *form: Any) -> Iterator[list[Any]]:
        """The report on the rows, as they are looked at."""
        busy, ready = gr.Button(interactive=False), gr.Button(interactive=True)
        try:
            for found in examine(self._own(drafting, form)):
                yield [examination_view(found), busy]
            yield [gr.skip(), ready]
        except Exception as error:
            yield [error_panel(error, "The rows cannot be checked"), ready]

    def save(self, drafting: Drafting, *form: Any) -> str:
        names: list[str] = []
        problem = refusal(
            "The task was not saved", lambda: names.append(kept(self._settings, self._own(drafting, form)).name)
        )
        if problem:
            return problem
        return f'<p class="soft"><a data-go href="{esc(address(names[0]))}">Open the task</a></p>'


def _preview(own: OwnTask, row: int) -> str:
    """A row as the model is asked it, or why it cannot be; then what the prompt does not ask for."""
    own.rewards()
    if row < 1:
        raise InvalidInput("row", row, "which is none", "rows are counted from 1")
    try:
        shown = checked_row(own.table, row - 1, own.rules)
    except BadRow as bad:
        return panel("notice", "This row cannot be used", str(bad))
    except IndexError:
        raise InvalidInput("row", row, f"and the data has {len(own.table):,}", "choose an earlier one") from None
    example = own.example(shown)
    warnings = [*unasked(own)]
    said = panel("notice", "Worth a look", *warnings) if warnings else ""
    return said + prompt_view(example.prompt, own.asking.gold(shown))


def _some_prompts(own: OwnTask) -> Iterator[Any]:
    """Prompts of rows from all over the data."""
    known = own.table.known if not own.table.complete else len(own.table)
    for index in sample_indices(known, COUNTED, "lengths"):
        try:
            yield own.example(checked_row(own.table, index, own.rules)).prompt
        except BadRow:
            continue


def _any_spec(drafting: Drafting) -> Any:
    """A task of this data that asks for nothing in particular: enough to open it."""
    first = "{" + drafting.columns[0] + "}"
    fields = {"name": "draft", "title": "", "user": first, "system": "", "messages": "", "gold": "", "shots": 0}
    return spec_of(drafting, {**fields, "bad_rows": "leave-out", "held_out": 0}, [("tags", 1.0, "")])


def _column_in(text: str, names: Sequence[str]) -> str:
    return next((name for name in names if "{" + name + "}" in text), "")


def _reward_choices(code: str) -> list[tuple[str, str]]:
    """The library, and what the file offers."""
    try:
        own = [(f"{each.name} · rewards.py", f"{OWN}{each.name}") for each in read_own_code(code or "")]
    except GrouperError:
        own = []
    library = ((f"{name} · {made.about}", name) for name, made in {**LIBRARY, **OUTSIDE}.items())
    return [("–", ""), *own, *library]


def _choices_with(code: str) -> list[Any]:
    """What can be chosen as a reward, with the functions of the file as it stands now."""
    choices = _reward_choices(code)
    return [gr.Dropdown(choices=choices) for _ in range(SLOTS)]


def _hint(what: str) -> Any:
    """The options that this reward takes, each with its usual value, in the empty field for them."""
    made = LIBRARY.get(what) or OUTSIDE.get(what)
    if made is None:
        return gr.Textbox(placeholder='form = "text"')
    return gr.Textbox(placeholder="\n".join(f"{name} = {_usual(field)}" for name, field in made.model_fields.items()))


def _usual(field: Any) -> str:
    usual = None if field.is_required() else field.get_default(call_default_factory=True)
    return json.dumps(usual, default=list) if usual is not None else "…"


def _one_more(*chosen: str) -> list[Any]:
    """The next free slot becomes visible."""
    used = len([*islice((each for each in chosen if each), SLOTS)])
    shown: list[Any] = []
    for place in range(SLOTS):
        there = place <= used
        shown += [gr.Dropdown(visible=there), gr.Number(visible=there), gr.Textbox(visible=there)]
    return shown
