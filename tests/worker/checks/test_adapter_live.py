"""An engine that does not follow the adapter is caught before the first step."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from core.errors import RunError
from core.worker.checks.adapter_live import STEP_LIMIT, MismatchMonitor, probe_adapter, prove_live
from core.worker.engines.engine import Sampling
from core.worker.engines.transformers import TransformersEngine

PROMPTS = [[5, 6, 7, 8], [9, 10, 11]]


class NoTokenizer:
    pad_token_id, eos_token_id = 0, 1


class Following(TransformersEngine):
    """Samples from a copy of the adapter taken at `sync`, as an engine with weights of its own does."""

    def __init__(self) -> None:
        super().__init__(NoTokenizer())  # type: ignore[arg-type]
        self.pushed: dict[str, torch.Tensor] = {}
        self.syncs = 0

    def push(self, current: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return current

    def sync(self) -> None:
        self.syncs += 1
        self.pushed = self.push({name: value.clone() for name, value in adapter_of(self._policy).items()})

    def generate(self, prompts: list[list[int]], group_size: int, sampling: Sampling) -> list:  # type: ignore[type-arg]
        kept = {name: value.clone() for name, value in adapter_of(self._policy).items()}
        self._policy.load_state_dict(self.pushed, strict=False)
        groups = super().generate(prompts, group_size, sampling)
        self._policy.load_state_dict(kept, strict=False)
        return groups


class NotApplied(Following):
    def push(self, current: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: torch.zeros_like(value) if "lora_B" in name else value for name, value in current.items()}


class WrongScale(Following):
    def push(self, current: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: value * 4 if "lora_B" in name else value for name, value in current.items()}


class Stale(Following):
    def push(self, current: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.pushed if self.syncs > 1 else current


def adapter_of(policy: PeftModel | None) -> dict[str, torch.Tensor]:
    assert policy is not None
    return {name: value for name, value in policy.state_dict().items() if "lora_" in name}


@pytest.fixture
def policy() -> PeftModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        vocab_size=97,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,  # random weights of the usual size predict nothing, whatever is added to them
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").float()
    return get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"]))


def test_an_engine_that_follows_is_live(policy: PeftModel) -> None:
    engine = Following()
    engine.connect(policy)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    proof = prove_live(policy, engine, PROMPTS, seed=0)
    assert proof.with_adapter < 0.05 < proof.without_adapter
    assert all(torch.equal(before[name], value) for name, value in policy.state_dict().items())
    assert all(torch.equal(value, engine.pushed[name]) for name, value in adapter_of(policy).items())


@pytest.mark.parametrize("kind", [NotApplied, WrongScale, Stale])
def test_an_engine_that_does_not_follow_is_caught(policy: PeftModel, kind: type[Following]) -> None:
    engine = kind()
    engine.connect(policy)
    with pytest.raises(RunError, match="does not sample from the policy") as caught:
        prove_live(policy, engine, PROMPTS, seed=0)
    assert caught.value.kind == "adapter-not-live"


def test_a_probe_is_taken_out_again_after_an_error(policy: PeftModel) -> None:
    before = {name: value.clone() for name, value in policy.state_dict().items()}

    def fail() -> None:
        with probe_adapter(policy, 1):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert all(torch.equal(before[name], value) for name, value in policy.state_dict().items())


def test_two_steps_past_the_limit_stop_the_run() -> None:
    watch = MismatchMonitor()
    for difference in (None, STEP_LIMIT * 2, STEP_LIMIT / 2, STEP_LIMIT * 2):
        watch.check(difference)
    with pytest.raises(RunError, match="no longer samples"):
        watch.check(STEP_LIMIT * 2)
