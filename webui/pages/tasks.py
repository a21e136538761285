"""`/tasks`: what can be trained on, one's own and the recipes that ship."""

from urllib.parse import urlencode

import gradio as gr

from core.tasks.own.approvals import approvals
from core.tasks.own.saved import SavedTask, list_saved
from core.tasks.registry import RECIPES, save
from core.tasks.sandbox.sources import fingerprint, read_bytes
from core.tasks.task import Task
from webui.components.live import live, still
from webui.language import words
from webui.pages.frame import QUIET, error_panel, or_else, page_body, refusal, title
from webui.present import empty_state, esc, own, skeleton
from webui.services import Services

NOTE = "Your data, your prompt and your rewards, checked and tried before they cost anything."


def build(app: gr.Blocks, services: Services) -> None:
    with page_body():
        with gr.Row(elem_classes="title-line"):
            still(title("Tasks", NOTE))
            if not services.read_only:
                take_in = gr.UploadButton(
                    words("Import"), file_types=[".zip"], type="filepath", size="sm", scale=0, elem_id="import-task"
                )
                still('<a class="main-button" href="new-task">New task</a>', elem_id="new-task")
        problem = live(elem_id="problem")
        with gr.Column(elem_classes="card"):
            mine = live(skeleton(4), elem_id="mine")
        with gr.Column(elem_classes="card"):
            still(f"<h2>Recipes that ship</h2>{_recipes()}")

    @or_else(lambda error: error_panel(error, "The tasks could not be read"))
    def arrive() -> str:
        return render(services)

    def imported(path: str) -> list[str]:
        tasks = services.settings.tasks
        return [refusal("The task was not imported", lambda: save(path, tasks)), render(services)]

    app.load(arrive, None, mine, **QUIET)
    if not services.read_only:
        take_in.upload(imported, take_in, [problem, mine], **QUIET)


def render(services: Services) -> str:
    """The saved tasks, the newest version first."""
    saved = list_saved(services.settings.tasks)
    if not saved:
        href = "" if services.read_only else "new-task"
        text = "A table of questions and answers is enough: CSV, JSONL, Parquet or a data set of the Hub."
        return "<h2>Your tasks</h2>" + empty_state("Nothing of your own yet", text, "New task" if href else "", href)
    agreed = approvals(services.settings.tasks)
    rows = "".join(_row(each, agreed) for each in saved)
    return f"<h2>Your tasks</h2>{_table(rows)}"


def address(name: str) -> str:
    return f"task?{urlencode({'name': name})}"


def _row(task: SavedTask, agreed: object) -> str:
    spec = task.spec
    rewards = ", ".join(part.title for part in spec.reward)
    waits = ""
    if spec.file and fingerprint(read_bytes(task.folder / spec.file)) not in agreed:  # type: ignore[operator]
        waits = '<br><span class="soft">its Python file waits for your agreement</span>'
    return _line(task.name, spec.title or task.short, spec.data.source or spec.data.use, rewards, waits)


def _recipes() -> str:
    return _table("".join(_recipe_row(recipe) for recipe in RECIPES))


def _recipe_row(recipe: Task) -> str:
    rewards = ", ".join(reward.name for reward in recipe.rewards)
    return _line(recipe.name, recipe.title, "made by a function", rewards)


def _line(name: str, heading: str, data: str, rewards: str, more: str = "") -> str:
    return (
        f'<tr><th scope="row"><a href="{esc(address(name))}">{own(heading)}</a><br>'
        f'<span class="soft mono" translate="no">{esc(name)}</span>{more}</th>'
        f"<td>{own(data)}</td><td>{own(rewards)}</td>"
        f'<td><a class="small-button" href="./?{urlencode({"task": name})}">Launch</a></td></tr>'
    )


def _table(rows: str) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Task", "Data", "Rewards", ""))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Tasks">'
        f'<table class="table tasks"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
