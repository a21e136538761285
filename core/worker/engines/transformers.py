"""transformers' generate on the policy itself: slow, always there."""

from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from core.worker.dtype import autocast
from core.worker.engines.engine import Sample, Sampling, kept_random_state, seed_everything


class TransformersEngine:
    """Samples from the policy in place, so there is nothing to synchronise."""

    name = "transformers"
    adapter_sync = "in place"
    reason = ""
    asleep_bytes = 0

    def __init__(self, tokenizer: PreTrainedTokenizerBase, notice: str = "") -> None:
        self.notices: tuple[str, ...] = (notice,) if notice else ()
        self._tokenizer = tokenizer
        self._policy: PeftModel | None = None

    def connect(self, policy: PeftModel) -> None:
        self._policy = policy

    def sync(self) -> None:
        """Nothing to do: the policy itself is sampled."""

    @torch.no_grad()
    def generate(self, prompts: list[list[int]], group_size: int, sampling: Sampling) -> list[list[Sample]]:
        assert self._policy is not None
        policy, pad = self._policy, self._tokenizer.pad_token_id
        rows = [ids for ids in prompts for _ in range(group_size)]
        longest = max(map(len, rows))
        device = policy.device
        input_ids = torch.tensor([[pad] * (longest - len(ids)) + ids for ids in rows], device=device)  # (B, P)
        mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in rows], device=device)
        watcher = _SampledLogprobs(longest)
        was_training = policy.training
        policy.eval()
        with kept_random_state(), autocast(device):
            seed_everything(sampling.seed)
            output = policy.generate(
                input_ids=input_ids,
                attention_mask=mask,
                do_sample=True,
                temperature=1.0,
                top_p=1.0,
                top_k=0,
                max_new_tokens=sampling.max_tokens,
                pad_token_id=pad,
                logits_processor=LogitsProcessorList([*_warpers(sampling), watcher]),
                **_exactly(sampling.lengths, longest),
            )
        policy.train(was_training)
        completions = output[:, longest:]  # (B, T)
        watcher.finish(output)
        logprobs = torch.stack(watcher.logprobs, dim=1)  # (B, T)
        stops = set(_as_list(policy.generation_config.eos_token_id) + _as_list(self._tokenizer.eos_token_id))
        samples = [_cut(ids.tolist(), lps.tolist(), stops) for ids, lps in zip(completions, logprobs, strict=True)]
        if sampling.lengths:
            samples = [
                Sample(tuple(ids[:length].tolist()), tuple(lps[:length].tolist()), "length")
                for ids, lps, length in zip(completions, logprobs, sampling.lengths, strict=True)
            ]
        return [samples[start : start + group_size] for start in range(0, len(samples), group_size)]

    def rest(self) -> None:
        """It holds nothing between batches."""

    def close(self) -> None:
        self._policy = None


class StopAt(StoppingCriteria):
    """Ends each row after its own number of tokens."""

    def __init__(self, prompt_length: int, lengths: Sequence[int]) -> None:
        self._ends = torch.tensor([prompt_length + length for length in lengths])

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return input_ids.shape[1] >= self._ends.to(input_ids.device)


def _exactly(lengths: Sequence[int], prompt_length: int) -> dict[str, Any]:
    """Arguments of generate that end each row where it is told and nowhere else."""
    if not lengths:
        return {}
    return {"eos_token_id": None, "stopping_criteria": StoppingCriteriaList([StopAt(prompt_length, lengths)])}


class _SampledLogprobs(LogitsProcessor):
    """Reads off each sampled token's log-probability one call later, keeping one (B, V) at a time."""

    def __init__(self, prompt_length: int) -> None:
        self.logprobs: list[torch.Tensor] = []
        self._prompt_length = prompt_length
        self._distribution: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.finish(input_ids)
        self._distribution = scores.float().log_softmax(dim=-1)
        return scores

    def finish(self, input_ids: torch.Tensor) -> None:
        """Notes the log-probability of the last token of each row."""
        if self._distribution is not None and input_ids.shape[1] == self._prompt_length + len(self.logprobs) + 1:
            self.logprobs.append(self._distribution.gather(1, input_ids[:, -1:]).squeeze(1))


def _warpers(sampling: Sampling) -> list[LogitsProcessor]:
    """The cuts of the distribution, in vLLM's order. Ours run before generate's own, and the watcher must see them."""
    warpers: list[LogitsProcessor] = []
    if sampling.temperature != 1.0:
        warpers.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k > 0:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    return warpers


def _cut(ids: list[int], logprobs: list[float], stops: set[int]) -> Sample:
    for index, token in enumerate(ids):
        if token in stops:
            return Sample(tuple(ids[: index + 1]), tuple(logprobs[: index + 1]), "stop")
    return Sample(tuple(ids), tuple(logprobs), "length")


def _as_list(value: int | list[int] | None) -> list[int]:
    return [] if value is None else [value] if isinstance(value, int) else list(value)
