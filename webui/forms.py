"""The launch form made from RunConfig: one control per field, its description as the hint, and the way back."""

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr
from gradio.components import Component

from core.config import RunConfig
from core.config.run_config import ENGINE_RANKS
from core.errors import InvalidInput
from webui.language import words

CHOSEN_ABOVE = ("model", "gpu", "rank", "recipe")  # laid out by the page itself
IDENTITY = ("model", "gpu", "recipe")  # what the starting values follow from
MAIN = ("steps", "group_size", "prompts_per_step", "completion_tokens", "learning_rate", "fast_inference")
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Adapter and weights": ("lora_alpha", "max_lora_rank", "target_modules", "quantization"),
    "Engine": ("device", "gpu_memory_utilization", "kv_cache_gib", "adapter_sync", "share_weights", "sleep_kv_cache"),
    "Batch": ("prompt_tokens", "per_device_train_batch_size", "gradient_checkpointing"),
    "Sampling": ("temperature", "top_p", "top_k"),
    "Optimization": (
        "lr_scheduler_type",
        "warmup_steps",
        "weight_decay",
        "max_grad_norm",
        "optim",
        "beta",
        "epsilon",
        "loss_type",
        "scale_rewards",
        "reward_weights",
    ),
    "Data and checkpoints": ("dataset", "seed", "evaluate_every", "save_steps", "save_total_limit"),
}
WRITTEN = {"gpu": "GPU", "kv": "KV", "lora": "LoRA", "lr": "LR", "gib": "(GiB)", "optim": "optimizer", "p": "p"}


@dataclass(frozen=True)
class FormField:
    """One field of RunConfig as a form sees it.

    kind  "choice", "listed" (a whole number picked from a list or typed), "switch", "integer", "number", "list",
          "pairs" or "text"
    """

    name: str
    label: str
    hint: str
    kind: str
    choices: tuple[str, ...] = ()
    optional: bool = False


def form_field(name: str) -> FormField:
    info = RunConfig.model_fields[name]
    kind, choices, optional = _kind(info.annotation)
    if name == "rank":
        kind = "listed"
    return FormField(name, label(name), info.description or "", kind, choices, optional)


def sections() -> dict[str, tuple[str, ...]]:
    """Every field that is not laid out by hand; one that no section names yet comes last."""
    named = {*CHOSEN_ABOVE, *MAIN, *(name for names in SECTIONS.values() for name in names)}
    rest = tuple(name for name in RunConfig.model_fields if name not in named)
    return {**SECTIONS, "More": rest} if rest else dict(SECTIONS)


def field_order() -> tuple[str, ...]:
    """The names behind the form's values, in the order in which handlers receive them."""
    return (*CHOSEN_ABOVE, *MAIN, *(name for names in sections().values() for name in names))


def label(name: str) -> str:
    words = [WRITTEN.get(word, word) for word in name.split("_")]
    return words[0][0].upper() + " ".join(words)[1:]


def control(name: str) -> Component:
    """The Gradio component for a field."""
    field = form_field(name)
    common: dict[str, Any] = {"label": words(field.label), "info": words(field.hint), "elem_id": f"field-{name}"}
    if field.kind == "choice":
        if len(field.choices) <= 3:
            return gr.Radio(list(field.choices), **common)
        return gr.Dropdown(list(field.choices), **common)
    if field.kind == "switch":
        return gr.Checkbox(**common)
    if field.kind in ("integer", "number"):
        placeholder = words("automatic") if field.optional else None
        return gr.Number(precision=0 if field.kind == "integer" else None, placeholder=placeholder, **common)
    return gr.Textbox(lines=2 if field.kind == "list" else 1, max_lines=4, **common)


def shown(config: RunConfig) -> dict[str, Any]:
    """A config's values as the form's components take them."""
    return {name: _written(form_field(name).kind, getattr(config, name)) for name in field_order()}


def named(values: Sequence[Any]) -> dict[str, Any]:
    """The form's values by field, as a handler receives them in `field_order`."""
    return dict(zip(field_order(), values, strict=True))


def parse(values: Mapping[str, Any]) -> dict[str, Any]:
    """The form's values as RunConfig takes them. Raises InvalidInput for one that cannot be read."""
    return {name: _read(form_field(name), value) for name, value in values.items()}


def edits(values: Mapping[str, Any], starting: Mapping[str, Any]) -> dict[str, Any]:
    """What the reader changed since the starting values were filled in: these outlive another choice of model."""
    kept = {name: value for name, value in values.items() if name in starting and value != starting[name]}
    if values["recipe"] != starting.get("recipe"):
        kept.pop("reward_weights", None)  # another recipe has other reward functions
    return {name: value for name, value in kept.items() if name not in IDENTITY}


def rank_choices() -> list[str]:
    return [str(rank) for rank in ENGINE_RANKS if rank <= 256]


def _read(field: FormField, value: Any) -> Any:
    empty = value is None or (isinstance(value, str) and not value.strip())
    if field.kind == "listed" and not empty:
        return _whole(field, value)
    if field.kind == "list":
        return [part for part in str(value or "").replace(",", " ").split() if part]
    if field.kind == "pairs":
        return _pairs(field, str(value or ""))
    if empty and (field.optional or field.kind == "text"):
        return None if field.optional else ""
    if empty:
        raise InvalidInput(field.name, "", "which is empty", f"give it a value ({field.hint.rstrip('.')})")
    return value.strip() if isinstance(value, str) else value


def _whole(field: FormField, value: Any) -> int:
    try:
        return int(str(value).strip())
    except ValueError:
        raise InvalidInput(field.name, value, "which is not a whole number", "write for example 64") from None


def _pairs(field: FormField, text: str) -> dict[str, float]:
    """ "correctness=2, format=0.5" -> {"correctness": 2.0, "format": 0.5}"""
    pairs: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        name, separator, number = part.partition("=")
        try:
            if not separator or not name.strip():
                raise ValueError
            pairs[name.strip()] = float(number)
        except ValueError:
            raise InvalidInput(field.name, part, "which is not NAME=NUMBER", "write for example format=0.5") from None
    return pairs


def _written(kind: str, value: Any) -> Any:
    if kind == "listed":
        return str(value)
    if kind == "list":
        return ", ".join(value)
    if kind == "pairs":
        return ", ".join(f"{name}={weight:g}" for name, weight in value.items())
    return value


def _kind(annotation: Any) -> tuple[str, tuple[str, ...], bool]:
    """(kind, choices, optional) of a field's type."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        kind, choices, _ = _kind(next(part for part in inner if part is not type(None)))
        return kind, choices, True
    if origin is Literal:
        return "choice", tuple(map(str, inner)), False
    if origin in (tuple, list):
        return "list", (), False
    if origin is dict:
        return "pairs", (), False
    plain = {bool: "switch", int: "integer", float: "number"}
    return plain.get(annotation, "text"), (), False
