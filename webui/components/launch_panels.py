"""What the launch page says beside its controls: the recipe, what was recommended and why, how a plan is made."""

from collections.abc import Sequence
from pathlib import Path

from core.planning.recommended import BestSettings
from core.tasks.registry import get_recipe
from webui import forms
from webui.present import capitalised, esc, folded, own, panel, sentence


def recipe_view(name: str, tasks: Path) -> str:
    """What a recipe trains, one of its prompts, and how its answers are scored."""
    recipe = get_recipe(name, tasks)
    prompt = recipe.example_prompt()
    example = f'<h4>Example prompt</h4><div class="prompt">{folded(prompt)}</div>' if prompt else ""
    rewards = "".join(
        f'<tr><th scope="row"><code>{esc(reward.name)}</code></th><td class="number">× {reward.weight:g}</td>'
        f'<td lang="en">{esc(reward.about)}</td></tr>'
        for reward in recipe.rewards
    )
    return (
        f'<div class="recipe" data-key="{esc(name)}"><p lang="en">{esc(recipe.description)}</p>{example}'
        "<h4>Rewards</h4>"
        f'<table class="table rewards"><tbody>{rewards}</tbody></table></div>'
    )


def reasons_view(best: BestSettings) -> str:
    """What was filled in and why; a reader may change any of it afterwards."""
    if not best.fits:
        return panel("notice", "Nothing fits this device", "Choose a smaller model, or a GPU with more memory.")
    rows = "".join(
        f'<tr><th scope="row">{esc(forms.label(name))}</th><td>{own(_written(best.overrides[name]))}</td>'
        f'<td class="soft" lang="en">{esc(capitalised(reason))}</td></tr>'
        for name, reason in best.reasons.items()
    )
    return (
        '<details class="fold" data-key="best" open><summary>Filled in for this device, and why</summary>'
        f'<div class="scroll"><table class="table reasons"><tbody>{rows}</tbody></table></div></details>'
    )


def computed_view(example: Sequence[str]) -> str:
    """How the figures come about, and what a well-known estimate gets right and wrong."""
    sentences = "".join(f"<li>{sentence(text)}</li>" for text in example)
    return (
        '<details class="fold" data-key="computed"><summary>How this is computed</summary><div class="computed">'
        "<p>Every line is arithmetic on the model's shape and these settings; the table of lines gives each formula "
        "with its numbers. Phases follow one step: weights are loaded, completions sampled, the adapter handed to the "
        "engine, the policy updated. The KV cache is what the engine's share leaves, counted in its own blocks. "
        "The margin is what processes and allocators were measured to take besides; runs on this machine narrow it.</p>"
        "<p>An estimate often quoted, a 7B model in four bits on 24 GB, held against these formulas:</p>"
        f"<ul>{sentences}</ul></div></details>"
    )


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "automatic" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
