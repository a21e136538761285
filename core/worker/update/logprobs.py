"""The policy's own logprobs of a sampled batch, and how far they are from the engine's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.planner.workload import pack_budget
from core.worker.update.attention import LAYOUT, follows_layouts
from core.worker.update.head import score_tokens
from core.worker.update.packing import Pack, PackedGroup, lay, pack, packs, split_groups


def settle_kernels() -> None:
    """Keeps cuDNN's attention out of this process.

    It is what torch prefers on Hopper, and it plans its kernels anew for every length of a row. Packs have another
    length every step; torch's own memory-efficient kernels take any length and any mask as they come.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


@dataclass(frozen=True)
class Scored:
    """logprobs, entropies: (B, T) in fp32, zero where `kept` (B, T) is False: padding and groups left out.

    groups  how many groups were computed, each with its prompt once
    """

    logprobs: torch.Tensor
    entropies: torch.Tensor
    kept: torch.Tensor
    groups: int

    def rows(self) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
        """(logprobs, entropies) of each completion's tokens, empty where it was left out."""
        kept, logprobs, entropies = self.kept.cpu(), self.logprobs.detach().cpu(), self.entropies.detach().cpu()
        return [
            (tuple(logprobs[row][kept[row]].tolist()), tuple(entropies[row][kept[row]].tolist()))
            for row in range(len(kept))
        ]

    def mean_entropy(self) -> float:
        """Mean over the tokens that were scored."""
        return float(self.entropies[self.kept].mean()) if self.kept.any() else 0.0


def score_batch(
    base: Any,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    completion_width: int,
    temperature: float,
    needed: torch.Tensor | None = None,
) -> Scored:
    """Scores the completions of a TRL batch (B, P + T) through packed groups.

    needed  (B,) True for rows that have an advantage. A group without any has a gradient of exactly zero and is left
            out; if all are, the first is scored without a gradient, since the engine is checked against it.
    """
    groups = split_groups(input_ids, attention_mask, completion_width)
    rows = [slice(end - len(group.completions), end) for group, end in zip(groups, _ends(groups), strict=True)]
    wanted = [needed is None or bool(needed[span].any()) for span in rows]
    with_gradient = any(wanted)
    if not with_gradient:
        wanted[0] = True
    kept = attention_mask[:, -completion_width:].bool().clone()
    for span, is_wanted in zip(rows, wanted, strict=True):
        kept[span] &= is_wanted
    chosen = [group for group, is_wanted in zip(groups, wanted, strict=True) if is_wanted]
    with torch.set_grad_enabled(torch.is_grad_enabled() and with_gradient):
        logprobs, entropies = score_groups(base, chosen, temperature)
    return Scored(_scatter(logprobs, kept), _scatter(entropies, kept), kept, len(chosen))


def score_groups(base: Any, groups: Sequence[PackedGroup], temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(logprobs, entropies), both (N,), of every completion token of the groups, in order."""
    on_cpu = groups[0].prompt.device.type == "cpu"
    budget = pack_budget(base.config.get_text_config().hidden_size, on_cpu)
    return score_packs(base, packs(groups, budget, lay if follows_layouts(base) else pack), temperature)


def score_packs(base: Any, made: Iterable[Pack], temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(logprobs, entropies), both (N,), of the targets of these packs."""
    logprobs, entropies = [], []
    for each in made:
        states = base.base_model(
            input_ids=each.input_ids,
            attention_mask=each.attention_mask,
            position_ids=each.position_ids,
            use_cache=False,
            **({LAYOUT: each.layout} if each.layout else {}),
        ).last_hidden_state  # (R, S, H)
        predicting = states.flatten(0, 1)[each.sources]  # (N, H)
        scored = score_tokens(predicting, base.get_output_embeddings(), each.targets, temperature)
        logprobs.append(scored[0])
        entropies.append(scored[1])
    return torch.cat(logprobs), torch.cat(entropies)


def score_alone(base: Any, groups: Sequence[PackedGroup], temperature: float = 1.0) -> torch.Tensor:
    """(N,) logprobs of the same tokens, each sequence by itself through the whole model: slow, right for any model."""
    scores = []
    for prompt, completion in ((group.prompt, each) for group in groups for each in group.completions):
        row = torch.cat([prompt, completion])
        logits = base(input_ids=row[None], use_cache=False).logits[0]  # (S, V)
        predicting = logits[len(prompt) - 1 : len(row) - 1].float() / temperature
        scores.append(predicting.log_softmax(dim=-1).gather(1, completion[:, None]).squeeze(1))
    return torch.cat(scores)


@dataclass(frozen=True)
class Mismatch:
    """How the trainer's logprobs differ from those the engine sampled with, for the tokens both know.

    ratio       (B, T), trainer's probability over the engine's, 1 where either is unknown
    difference  (N,), trainer's logprob minus the engine's
    """

    ratio: torch.Tensor
    difference: torch.Tensor

    def metrics(self) -> dict[str, float]:
        """Mean and largest |difference|, the k3 estimate of KL(engine || trainer) (Schulman, 2020), mean ratio."""
        if self.difference.numel() == 0:
            return {}
        size, ratio = self.difference.abs(), self.difference.exp()
        return {
            "mismatch/mean": float(size.mean()),
            "mismatch/max": float(size.max()),
            "mismatch/kl": float((ratio - 1 - self.difference).mean()),
            "mismatch/ratio": float(ratio.mean()),
        }


def compare(scored: Scored, sampling_logprobs: torch.Tensor) -> Mismatch:
    """The trainer's scores against the engine's logprobs (B, T); NaN in the latter means unknown."""
    known = scored.kept & ~sampling_logprobs.isnan()
    difference = torch.where(known, scored.logprobs.detach() - sampling_logprobs, 0.0)
    return Mismatch(difference.exp(), difference[known])


def _ends(groups: Sequence[PackedGroup]) -> list[int]:
    total, ends = 0, []
    for group in groups:
        total += len(group.completions)
        ends.append(total)
    return ends


def _scatter(values: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """(N,) values back to their places in (B, T), zero elsewhere."""
    return values.new_zeros(kept.shape).masked_scatter(kept, values)
