"""Whether the groups of this model may be packed: tried at load, on the model that will be trained.

Packing leans on the model in three ways: a mask of shape (R, 1, S, S) or a layout is followed, nothing else carries
information from one token to another, and the head is the plain product that `update.head` computes. State-space
layers, models that build their own masks, and models that scale their logits break one of these. So random groups are
scored packed, end to end first (see `update.attention`) and, where that is not exact, in masked rows:

    head      the whole model's logits are the plain product, number for number
    isolated  other tokens in one completion change nothing in another; the shapes being equal, not even rounding
    alone     each sequence by itself through the whole model is the truth that packing has to meet, up to rounding

What fails is trained through TRL's padded path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from core.config import RunConfig
from core.units import significant
from core.worker.update.attention import GROUPS, follows_layouts
from core.worker.update.logprobs import score_alone, score_packs
from core.worker.update.packing import Pack, PackedGroup, lay, pack
from core.worker.upstream.transformers import attention_of

# Layers that exchange information through attention alone, as transformers' configs call them.
ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}
# Prompt and completion lengths of the trial: unequal, with a completion of one token.
SHAPES = ((7, (6, 9, 1)), (5, (8, 3)))
# Without the mask completions see each other, which moves their logprobs by a `leak`. Packed ones may be off the truth
# by this part of it: bf16 rounds to a seventh of it, fp32 to less than a thousandth.
MOST_OFF = {torch.bfloat16: 1 / 3, torch.float32: 1 / 300}
MOST_MOVED = 1 / 1000
SAME_LOGITS = 1e-3  # of the largest


@dataclass(frozen=True)
class Exactness:
    """Whether packing is exact here, and how that was found out, in a sentence."""

    packed: bool
    reason: str


@torch.no_grad()
def try_packing(base: Any, config: RunConfig) -> Exactness:
    """Decides for this model and these lengths. Never raises: a model that cannot be packed is padded."""
    foreign = sorted(_layer_kinds(base.config) - ATTENTION)
    if foreign:
        return _padded(
            f"its layers of the kind {', '.join(foreign)} carry more from token to token than a mask governs"
        )
    window, longest = attention_window(base.config), config.prompt_tokens + config.completion_tokens
    if window is not None and longest > window:
        return _padded(f"its attention window of {window:,} tokens is shorter than a sequence of {longest:,}")
    row = config.prompt_tokens + config.group_size * config.completion_tokens
    groups = _groups(base, window if window is not None and row > window else 0)
    was_training, found = base.training, _padded("its attention was not tried")
    base.eval()
    for attention in _attentions(base):
        try:
            if attention != attention_of(base):
                base.set_attn_implementation(attention)
            found = _judge(base, groups)
        except Exception as error:  # whatever a foreign forward dislikes about packs, the padded path does without
            found = _padded(f"its forward refuses packed groups ({type(error).__name__}: {str(error)[:160]})")
        if found.packed:
            break
    base.train(was_training)
    return found


def _attentions(base: Any) -> list[str]:
    """What to try, in transformers' names: attention that follows layouts, then the model's as it is."""
    own = attention_of(base)
    half = base.get_output_embeddings().weight.dtype in (torch.bfloat16, torch.float16)
    return [GROUPS, own] if own == "sdpa" and (half or base.device.type == "cpu") else [own]


def _padded(why: str) -> Exactness:
    return Exactness(False, f"Groups are padded, not packed: {why}.")


def _layer_kinds(model_config: Any) -> set[str]:
    return set(getattr(model_config.get_text_config(), "layer_types", None) or ())


def attention_window(model_config: Any) -> int | None:
    """The shortest span of tokens that any layer attends to; None where every layer sees everything."""
    text = model_config.get_text_config()
    kinds = _layer_kinds(model_config)
    spans = (
        getattr(text, "sliding_window", None) if not kinds or "sliding_attention" in kinds else None,
        getattr(text, "attention_chunk_size", None) if "chunked_attention" in kinds else None,
    )
    return min((span for span in spans if span), default=None)


def _judge(base: Any, groups: Sequence[PackedGroup]) -> Exactness:
    device, dtype = groups[0].prompt.device, base.get_output_embeddings().weight.dtype
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        if not _has_plain_head(base, groups[0].prompt):
            return _padded("its head does more to the logits than multiply")
        packer, how = (lay, "end to end") if follows_layouts(base) else (pack, "in masked rows")
        truth, packed = score_alone(base, groups), _score(base, packer(groups))
        leak = _mean(_score(base, _without_mask(pack(groups))) - truth)
        moved = _mean((_score(base, packer(_others(groups))) - packed)[_kept(groups)])
    off = _mean(packed - truth)
    figures = (
        f"logprobs are {significant(off)} off those of single sequences and move by {significant(moved)} "
        f"with other completions, where a mask that is ignored moves them by {significant(leak)}"
    )
    if off <= MOST_OFF.get(dtype, MOST_OFF[torch.bfloat16]) * leak and moved <= MOST_MOVED * leak:
        return Exactness(True, f"Groups are packed {how}: {figures}.")
    return _padded(f"packing is not exact for this model; {figures}")


def _has_plain_head(base: Any, tokens: torch.Tensor) -> bool:
    output = base(input_ids=tokens[None], output_hidden_states=True, use_cache=False)
    plain = base.get_output_embeddings()(output.hidden_states[-1])
    return bool((plain - output.logits).abs().max() <= SAME_LOGITS * output.logits.abs().max())


def _score(base: Any, made: Pack) -> torch.Tensor:
    return score_packs(base, [made], temperature=1.0)[0]


def _mean(difference: torch.Tensor) -> float:
    return float(difference.abs().mean())


def _others(groups: Sequence[PackedGroup]) -> list[PackedGroup]:
    """The same groups with other tokens in every first completion."""
    return [
        PackedGroup(group.prompt, (group.completions[0].flip(0) // 2 + 1, *group.completions[1:])) for group in groups
    ]


def _kept(groups: Sequence[PackedGroup]) -> torch.Tensor:
    """(N,) True for the tokens of the completions that `_others` leaves alone."""
    marks = [
        torch.full((len(completion),), place > 0)
        for group in groups
        for place, completion in enumerate(group.completions)
    ]
    return torch.cat(marks).to(groups[0].prompt.device)


def _groups(base: Any, window: int) -> list[PackedGroup]:
    """Random groups; with a `window`, one more whose row is longer than it while none of its sequences is."""
    device, vocabulary = base.device, base.get_input_embeddings().weight.shape[0]
    generator = torch.Generator().manual_seed(0)
    shapes: list[tuple[int, tuple[int, ...]]] = list(SHAPES)
    if window:
        each = max(1, min(64, window - 8))
        shapes.append((min(8, max(1, window - each)), (each,) * (window // each + 2)))

    def tokens(count: int) -> torch.Tensor:
        return torch.randint(vocabulary, (count,), generator=generator).to(device)

    return [PackedGroup(tokens(prompt), tuple(map(tokens, lengths))) for prompt, lengths in shapes]


def _without_mask(made: Pack) -> Pack:
    """The same pack in which every token sees all before it, as it would if the mask were ignored."""
    rows, _, size, _ = made.attention_mask.shape
    causal = torch.ones(size, size, dtype=torch.bool, device=made.input_ids.device).tril()
    return replace(made, attention_mask=causal.expand(rows, 1, size, size))
