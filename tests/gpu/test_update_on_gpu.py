"""The packed update on CUDA gives what padded rows give, in fp32."""

from collections.abc import Iterator

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from core.config import make_config
from core.worker.checks.packing_exact import try_packing
from core.worker.update.attention import GROUPS
from core.worker.update.head import score_tokens
from core.worker.update.logprobs import score_batch, settle_kernels

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def full_precision() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    settle_kernels()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("lengths", [(30, 30), (1, 40), (40, 0), (7, 19)], ids=str)
def test_packed_equals_padded(kind: str, lengths: tuple[int, int]) -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32}  # fmt: skip
    config = AutoConfig.for_model(kind, **sizes)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").float().cuda()
    prompt, width = 24, max(lengths)
    prompts = torch.randint(3, 512, (2, prompt), device="cuda").repeat_interleave(2, 0)
    ids = torch.cat([prompts, torch.randint(3, 512, (4, width), device="cuda")], dim=1)
    completion = torch.arange(width, device="cuda") < torch.tensor([*lengths, *lengths], device="cuda").unsqueeze(1)
    mask = torch.cat([torch.ones_like(prompts).bool(), completion], dim=1).long()
    packed = score_batch(model, ids, mask, width, 1.0).logprobs
    states = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    scored, _ = score_tokens(states[:, -width - 1 : -1][completion], model.lm_head, ids[:, -width:][completion], 1.0)
    padded = scored.new_zeros(completion.shape).masked_scatter(completion, scored)
    torch.testing.assert_close(packed, padded, atol=1e-4, rtol=1e-4)
    weights = torch.randn(packed.shape, device="cuda")
    both = [torch.autograd.grad((values * weights).sum(), list(model.parameters())) for values in (packed, padded)]
    for ours, theirs in zip(*both, strict=True):
        assert (ours - theirs).norm() <= 1e-4 * theirs.norm() + 1e-6


@pytest.mark.parametrize("attention", ["sdpa", GROUPS])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_the_gradient_in_bf16_points_where_it_does_in_fp32(kind: str, attention: str) -> None:
    """Under bf16 autocast CUDA takes other attention kernels than in fp32; their gradients have to agree."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 512, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64}  # fmt: skip
    config = AutoConfig.for_model(kind, **sizes)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").float().cuda().train()
    prompt, width = 24, 37
    ids = torch.randint(3, 512, (2, prompt + width), device="cuda").repeat_interleave(4, 0)
    ids[:, prompt:] = torch.randint(3, 512, (8, width), device="cuda")
    mask, weights = torch.ones_like(ids), torch.randn(8, width, device="cuda")
    mask[1, -20:] = mask[6, -36:] = 0
    gradients = []
    for enabled in (False, True):
        if enabled:
            model.set_attn_implementation(attention)
            model.gradient_checkpointing_enable({"use_reentrant": False})
        with torch.autocast("cuda", torch.bfloat16, enabled=enabled):
            scored = score_batch(model, ids, mask, width, 1.0).logprobs
        found = torch.autograd.grad((scored * weights).sum(), list(model.parameters()))
        gradients.append(torch.cat([one.float().flatten() for one in found]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_the_trial_lays_groups_end_to_end(kind: str) -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": 512, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64}  # fmt: skip
    config = AutoConfig.for_model(kind, **sizes)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").to("cuda", torch.bfloat16)
    exactness = try_packing(model, make_config({"model": "tiny", "recipe": "addition"}))
    print(exactness.reason)  # noqa: T201
    assert exactness.reason.startswith("Groups are packed end to end: ")
