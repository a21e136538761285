"""Groups packed so that their shared prompt is computed once.

A row of a pack is one group: the prompt, then its completions one after the other. A completion sees the prompt and
itself, and its position ids go on from the prompt's end, so every token has exactly the context it was sampled in:

    tokens      p p p a a a b b c c c c
    positions   0 1 2 3 4 5 3 4 3 4 5 6

Who sees whom is told by a mask, one row a group; or, where attention follows layouts, by a layout of one long row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from core.worker.update.attention import Layout, lay_out


@dataclass(frozen=True)
class PackedGroup:
    """One group's token ids: the prompt (P,) and each completion (T_i,), in the batch's order."""

    prompt: torch.Tensor
    completions: tuple[torch.Tensor, ...]

    @property
    def length(self) -> int:
        return len(self.prompt) + sum(map(len, self.completions))


@dataclass(frozen=True)
class Pack:
    """Several groups as one batch of rows padded to S tokens, or as one row (R = 1) with a layout.

    input_ids, position_ids  (R, S)
    attention_mask           (R, 1, S, S), True where a token (third axis) sees another (fourth axis); with a layout
                             (1, 1, 1, 1), which is there so that a model makes no mask of its own
    sources                  (N,) flat index into (R, S) of the position whose state predicts each completion token
    targets                  (N,) those tokens, completion by completion in the batch's order
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    attention_mask: torch.Tensor
    sources: torch.Tensor
    targets: torch.Tensor
    layout: Layout | None = None


Packer = Callable[[Sequence[PackedGroup]], Pack]


def split_groups(input_ids: torch.Tensor, attention_mask: torch.Tensor, completion_width: int) -> list[PackedGroup]:
    """The groups of a TRL batch: (B, P + T), prompts padded on the left and completions on the right.

    Neighbouring rows with the same prompt are one group.
    """
    mask = attention_mask.bool()
    width = input_ids.shape[1] - completion_width
    groups: list[tuple[torch.Tensor, list[torch.Tensor]]] = []
    for row, seen in zip(input_ids, mask, strict=True):
        prompt = row[:width][seen[:width]]
        completion = row[width:][seen[width:]]
        if groups and torch.equal(groups[-1][0], prompt):
            groups[-1][1].append(completion)
        else:
            groups.append((prompt, [completion]))
    return [PackedGroup(prompt, tuple(completions)) for prompt, completions in groups]


def packs(groups: Sequence[PackedGroup], budget: int, packer: Packer) -> Iterator[Pack]:
    """The groups in order, as many in a pack as fit into `budget` token positions (rows x longest row), one at least.

    More would only cost memory: short rows are padded, and the backward pass works on one pack at a time.
    """
    waiting: list[PackedGroup] = []
    for group in groups:
        longest = max(group.length, *(other.length for other in waiting)) if waiting else group.length
        if waiting and longest * (len(waiting) + 1) > budget:
            yield packer(waiting)
            waiting = []
        waiting.append(group)
    if waiting:
        yield packer(waiting)


def pack(groups: Sequence[PackedGroup]) -> Pack:
    """One masked pack. A prompt has at least one token: the state at its end predicts every first token."""
    device = groups[0].prompt.device
    size = max(group.length for group in groups)
    input_ids = torch.zeros(len(groups), size, dtype=torch.long, device=device)
    position_ids = torch.zeros_like(input_ids)
    segments = torch.full_like(input_ids, -1)  # 0: prompt, 1..: completion, -1: padding
    sources: list[torch.Tensor] = []
    for row, group in enumerate(groups):
        parts = [group.prompt, *group.completions]
        input_ids[row, : group.length] = torch.cat(parts)
        prompt_length = start = len(group.prompt)
        position_ids[row, :start] = torch.arange(start, device=device)
        segments[row, :start] = 0
        for number, completion in enumerate(group.completions, start=1):
            end = start + len(completion)
            position_ids[row, start:end] = torch.arange(prompt_length, prompt_length + len(completion), device=device)
            segments[row, start:end] = number
            before = torch.arange(start - 1, end - 1, device=device)
            before[:1] = prompt_length - 1
            sources.append(before + row * size)
            start = end
    targets = torch.cat([completion for group in groups for completion in group.completions])
    return Pack(input_ids, position_ids, _visible(segments), torch.cat(sources), targets)


def lay(groups: Sequence[PackedGroup]) -> Pack:
    """The same groups end to end, with a layout in place of a mask and of padding."""
    device = groups[0].prompt.device
    positions: list[int] = []
    sources: list[int] = []
    for group in groups:
        prompt_length = len(group.prompt)
        last = len(positions) + prompt_length - 1  # whose state predicts every first token
        positions.extend(range(prompt_length))
        for length in map(len, group.completions):
            sources.extend([last, *range(len(positions), len(positions) + length - 1)][:length])
            positions.extend(range(prompt_length, prompt_length + length))
    tokens = [part for group in groups for part in (group.prompt, *group.completions)]
    return Pack(
        torch.cat(tokens)[None],
        torch.tensor(positions, device=device)[None],
        torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),
        torch.tensor(sources, dtype=torch.long, device=device),
        torch.cat([completion for group in groups for completion in group.completions]),
        lay_out([(len(group.prompt), [*map(len, group.completions)]) for group in groups], device),
    )


def _visible(segments: torch.Tensor) -> torch.Tensor:
    """(R, 1, S, S): earlier tokens of the same segment or of the prompt. Padding sees itself: softmax stays finite."""
    size = segments.shape[1]
    seer, seen = segments.unsqueeze(2), segments.unsqueeze(1)
    causal = torch.ones(size, size, dtype=torch.bool, device=segments.device).tril()
    visible = causal & ((seer == seen) | (seen == 0)) & (seen >= 0)
    return (visible | torch.eye(size, dtype=torch.bool, device=segments.device)).unsqueeze(1)
