"""Proof that the engine samples from the policy: its adapter applied, the newest one, at the right scale.

An adapter that is silently not applied is the worst failure here: the run looks healthy and learns nothing. So before
training a random adapter is put in place of the fresh one, twice, and the engine's logprobs of what it samples are
compared with the trainer's, with the adapter and without it. Only an engine that follows both times agrees.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from core.errors import RunError
from core.worker.engines.adapter_sync.merging import base_weight
from core.worker.engines.engine import InferenceEngine, Sample, Sampling
from core.worker.update.logprobs import score_alone, score_groups
from core.worker.update.packing import PackedGroup

# Size of the probe's update against the base weights: enough to change every distribution, not enough to break it.
PROBE_SHARE = 0.05
PROBE_TOKENS, PROBE_GROUP, PROBE_PROMPTS = 16, 4, 2
# Mean |engine logprob - trainer logprob|. bf16 engines agree with their trainer to about 0.04.
AGREES = 0.15
# The engine must be this much nearer to the policy than to the base model.
NEARER = 2.0
# A step's mean |difference| past this is no rounding any more. One step may be an accident of a few unlikely tokens
# (0.17 was seen in a healthy run); two in a row are not.
STEP_LIMIT, STEPS_IN_A_ROW = 0.5, 2


@dataclass(frozen=True)
class Proof:
    """Mean |difference| to the trainer's logprobs with the newest adapter and without any."""

    with_adapter: float
    without_adapter: float

    @property
    def is_live(self) -> bool:
        return self.with_adapter <= AGREES and self.with_adapter * NEARER <= self.without_adapter


def prove_live(
    policy: PeftModel, engine: InferenceEngine, prompts: Sequence[Sequence[int]], seed: int, packed: bool = True
) -> Proof:
    """Probes the engine twice and leaves adapter and engine as they were.

    packed  whether packing is exact for this model; else its logprobs are taken one sequence at a time
    Raises RunError with both figures when the engine does not follow the adapter.
    """
    asked = [list(ids) for ids in prompts[:PROBE_PROMPTS]]
    proof = Proof(math.nan, math.nan)
    for probe_seed in (seed + 1, seed + 2):
        with probe_adapter(policy, probe_seed):
            engine.sync()
            sampling = Sampling(1.0, 1.0, 0, PROBE_TOKENS, probe_seed)
            groups = engine.generate(asked, PROBE_GROUP, sampling)
            with_adapter = mean_difference(policy, asked, groups, packed)
            with policy.disable_adapter():
                proof = Proof(with_adapter, mean_difference(policy, asked, groups, packed))
        if not proof.is_live:
            raise RunError("adapter-not-live", _sentence(proof), "Set fast_inference to off, and report this engine.")
    engine.sync()
    return proof


class MismatchMonitor:
    """Follows every step's mean |difference| between engine and trainer."""

    def __init__(self) -> None:
        self._past_limit = 0

    def check(self, mean_difference: float | None) -> None:
        """Raises RunError when engine and trainer keep disagreeing by more than rounding."""
        if mean_difference is None:
            return
        self._past_limit = self._past_limit + 1 if mean_difference > STEP_LIMIT else 0
        if self._past_limit >= STEPS_IN_A_ROW:
            raise RunError(
                "adapter-not-live",
                f"The engine's logprobs differ from the trainer's by {mean_difference:.2f} on average, "
                f"{STEPS_IN_A_ROW} steps in a row (limit {STEP_LIMIT}): it no longer samples from the policy.",
                "Lower learning_rate if the run had become unstable; else set fast_inference to off and report it.",
            )


@contextmanager
def probe_adapter(policy: PeftModel, seed: int) -> Iterator[None]:
    """A random B in every adapted layer, sized by the layer's own weights; the fresh adapter's zeros afterwards."""
    layers = [module for module in policy.modules() if isinstance(module, LoraLayer)]
    kept = [layer.lora_B["default"].weight.detach().clone() for layer in layers]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in layers:
            b, a = layer.lora_B["default"].weight, layer.lora_A["default"].weight
            wanted = PROBE_SHARE * base_weight(layer).float().std()
            each = layer.scaling["default"] * a.float().std() * math.sqrt(a.shape[0])  # std of one entry per unit of B
            b.copy_(torch.randn(b.shape, generator=generator).to(b) * (wanted / each))
    try:
        yield
    finally:
        with torch.no_grad():
            for layer, before in zip(layers, kept, strict=True):
                layer.lora_B["default"].weight.copy_(before)


@torch.no_grad()
def mean_difference(
    policy: PeftModel, prompts: Sequence[list[int]], groups: Sequence[Sequence[Sample]], packed: bool = True
) -> float:
    """Mean |engine logprob - trainer logprob| of these samples under the policy as it is now."""
    device = policy.device
    sampled = [
        PackedGroup(
            torch.tensor(prompt, device=device),
            tuple(torch.tensor(sample.token_ids, dtype=torch.long, device=device) for sample in samples),
        )
        for prompt, samples in zip(prompts, groups, strict=True)
    ]
    with torch.autocast(device.type, torch.bfloat16, enabled=policy.dtype == torch.bfloat16):
        base = policy.get_base_model()
        ours = score_groups(base, sampled, temperature=1.0)[0] if packed else score_alone(base, sampled)
    engines = [value for samples in groups for sample in samples for value in sample.logprobs]
    return float((ours.cpu() - torch.tensor(engines)).abs().mean())


def _sentence(proof: Proof) -> str:
    return (
        "The engine does not sample from the policy: its logprobs differ from the trainer's by "
        f"{proof.with_adapter:.3f} with the adapter and by {proof.without_adapter:.3f} without it "
        f"(wanted: at most {AGREES}, and {NEARER:g} times nearer with it)."
    )
