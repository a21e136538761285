"""A run's settings: what differs from the recipe's own first, then everything with its explanation."""

from pathlib import Path

from core.config import RunConfig
from core.errors import GrouperError
from core.tasks.registry import compose
from core.units import plural
from webui.present import esc


def config_panel(config: RunConfig, tasks: Path | None = None) -> str:
    """Two folds: the changed settings beside the recipe's values, open, and all settings."""
    own = recipe_values(config, tasks)
    values = config.model_dump(mode="json")
    changed = {name: value for name, value in values.items() if own and own[name] != value}
    return f"{_changed(changed, own)}{_everything(values, changed)}"


def recipe_values(config: RunConfig, tasks: Path | None) -> dict[str, object]:
    """What the recipe starts with for this model and GPU; empty when the recipe or the GPU is no longer known."""
    try:
        return compose(config.recipe, config.model, config.gpu, {}, tasks).model_dump(mode="json")
    except GrouperError:
        return {}


def written(value: object) -> str:
    """A setting as people read it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == "" or value == {}:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{name}={number:g}" for name, number in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _changed(changed: dict[str, object], own: dict[str, object]) -> str:
    if not own:
        return ""
    if not changed:
        return '<p class="soft as-recipe">Every setting is the recipe\'s own.</p>'
    rows = "".join(
        f'<tr><th scope="row"><code>{esc(name)}</code></th><td class="mono">{esc(written(value))}</td>'
        f'<td class="mono soft">{esc(written(own[name]))}</td></tr>'
        for name, value in changed.items()
    )
    return (
        '<details class="fold" data-key="changed" open><summary>'
        f"{plural(len(changed), 'setting')} changed from the recipe</summary>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Changed settings"><table class="table"><thead><tr>'
        '<th scope="col">Setting</th><th scope="col">This run</th><th scope="col">Recipe</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _everything(values: dict[str, object], changed: dict[str, object]) -> str:
    rows = "".join(
        f'<tr{" class=changed" if name in changed else ""}><th scope="row"><code>{esc(name)}</code></th>'
        f'<td class="mono">{esc(written(value))}</td>'
        f'<td class="soft" lang="en">{esc(RunConfig.model_fields[name].description)}</td></tr>'
        for name, value in values.items()
    )
    return (
        '<details class="fold" data-key="config"><summary>All settings</summary><div class="scroll" tabindex="0" '
        f'role="region" aria-label="Settings"><table class="table"><tbody>{rows}</tbody></table></div></details>'
    )
