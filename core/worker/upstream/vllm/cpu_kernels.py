"""Two operations of vLLM's CPU engine, replaced where its own build has a faster kernel or the mathematics does.

Without compilation (which takes more than a minute here) the engine normalises with nine separate torch operations and
draws one random number for every word of the vocabulary and every sequence. On two cores that is a fifth of a decode
step of a small model, and the sampler's own compilation is seconds before the first token.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from vllm.model_executor.layers.layernorm import RMSNorm
from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p

log = logging.getLogger(__name__)
# One rounding step of bf16, relative.
BF16_STEP = 2.0**-8
NORMS_LEFT = "Norms are left to torch, since vLLM's kernel for them is not there or differs. Sampling is slower."
SAMPLER_LEFT = "vLLM's sampler does not hand out processed logprobs, so it draws by itself. Sampling is slower."


def patch_cpu_kernels(worker: Any, draw: Callable[[torch.Tensor], torch.Tensor]) -> list[str]:
    """Called with vLLM's CPU worker once the engine is up. Leaves alone what is not exactly as expected, and says so.

    draw  one index a row, (B,), from probabilities (B, V)
    """
    notices = []
    norms = [module for module in worker.model_runner.model.modules() if type(module) is RMSNorm]
    agreeing = [norm for norm in norms if _kernel_agrees(norm)]
    for norm in agreeing:
        norm.forward = _normalise_with(norm)
    log.info("%d of %d norms are computed by vLLM's kernel.", len(agreeing), len(norms))
    if len(agreeing) * 2 < len(norms):  # a few may round otherwise and be left as they are; this is another kernel
        notices.append(NORMS_LEFT)
    sampler = worker.model_runner.sampler.topk_topp_sampler
    if sampler.logprobs_mode == "processed_logprobs":
        sampler.forward = _sample_instead_of(sampler.forward, draw)
    else:
        notices.append(SAMPLER_LEFT)
    return notices


def _sample_instead_of(original: Any, draw: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    def forward(logits: torch.Tensor, generators: Any, k: Any, p: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        if generators:  # a request with a seed of its own
            sampled: tuple[torch.Tensor, torch.Tensor | None] = original(logits, generators, k, p)
            return sampled
        logprobs = apply_top_k_top_p(logits, k, p).log_softmax(dim=-1, dtype=torch.float32)
        return draw(logprobs.exp()), logprobs

    return forward


def _normalise_with(norm: RMSNorm) -> Any:
    original, weight, epsilon = norm.forward, norm.weight, norm.variance_epsilon
    kernels = torch.ops._C

    def forward(x: torch.Tensor, residual: torch.Tensor | None = None) -> Any:
        if x.dtype != weight.dtype or not x.is_contiguous() or (residual is not None and not residual.is_contiguous()):
            return original(x, residual)
        if residual is not None:
            kernels.fused_add_rms_norm(x, residual, weight.data, epsilon)  # both in place
            return x, residual
        output = torch.empty_like(x)
        kernels.rms_norm(output, x, weight.data, epsilon)
        return output

    return forward


def _kernel_agrees(norm: RMSNorm) -> bool:
    """Whether the kernels are there and compute what this layer does, on a few random rows."""
    kernels = torch.ops._C
    if not hasattr(kernels, "rms_norm") or not hasattr(kernels, "fused_add_rms_norm"):
        return False
    if not norm.has_weight or norm.variance_size_override is not None:
        return False
    rows = torch.randn(2, 3, norm.hidden_size, generator=torch.Generator().manual_seed(0)).to(norm.weight.dtype)
    forward = _normalise_with(norm)
    alone = torch.allclose(forward(rows[0]), norm.forward(rows[0]), rtol=2 * BF16_STEP, atol=BF16_STEP)
    both = zip(forward(rows[0].clone(), rows[1].clone()), norm.forward(rows[0].clone(), rows[1].clone()), strict=True)
    return alone and all(torch.allclose(ours, theirs, rtol=2 * BF16_STEP, atol=BF16_STEP) for ours, theirs in both)
