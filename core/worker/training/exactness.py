"""Whether the groups of this model may be packed: tried at load, on the model that will be trained.

Packing leans on the model in three ways: a mask of shape (R, 1, S, S) is followed, nothing else carries information
from one token to another, and the head is the plain product that `head` computes. State-space layers, models that
build their own masks, and models that scale their logits break one of these. So random groups are scored packed:

    alone     each sequence by itself through the whole model is the truth that packing has to meet, up to rounding
    isolated  other tokens in one completion must not change the logprobs of another at all; the shapes being equal
              there is no rounding to hide behind

What fails is trained through TRL's padded path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from core.config import RunConfig
from core.worker.training.forward import score_alone, score_packs
from core.worker.training.packing import Pack, PackedGroup, pack

# Layers that exchange information through attention alone, as transformers' configs call them.
ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}
# Prompt and completion lengths of the trial: unequal, with a completion of one token.
SHAPES = ((6, (4, 5, 1)), (4, (3,)))
# Packed logprobs may be off by this many times what padding alone changes, which is rounding, and by this in any case:
# a kernel may happen to round padded rows as it rounds single ones.
TIMES_ROUNDING, ROUNDING, ROUNDING_BF16 = 4.0, 1e-5, 0.02
# Without the mask completions see each other. The packed score must be this much nearer to the truth than that one,
# and move this much less when other completions change.
NEARER, ISOLATED = 3.0, 1000.0


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
    was_training = base.training
    base.eval()
    try:
        return _judge(base, _groups(base, window if window is not None and row > window else 0))
    except Exception as error:  # whatever a foreign forward dislikes about a 4-D mask, the padded path does without
        return _padded(f"its forward refuses packed groups ({type(error).__name__}: {str(error)[:160]})")
    finally:
        base.train(was_training)


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
    device, bf16 = groups[0].prompt.device, base.get_output_embeddings().weight.dtype == torch.bfloat16
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        truth = score_alone(base, groups)
        rounding = _mean(score_alone(base, groups, together=True) - truth)
        packed = _score(base, pack(groups))
        leak = _mean(_score(base, _without_mask(pack(groups))) - truth)
        moved = _mean((_score(base, pack(_others(groups))) - packed)[_kept(groups)])
    off = _mean(packed - truth)
    figures = (
        f"on average {off:.1e} off single sequences, where rounding is {rounding:.1e} and a mask that is ignored "
        f"{leak:.1e}; {moved:.1e} moved by other completions"
    )
    agrees = off <= max(TIMES_ROUNDING * rounding, ROUNDING_BF16 if bf16 else ROUNDING) and off * NEARER <= leak
    if agrees and moved * ISOLATED <= leak:
        return Exactness(True, f"Groups are packed: logprobs are {figures}.")
    return _padded(f"packing is not exact for this model: logprobs are {figures}")


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
