"""vLLM in the worker's own process, following the policy's adapter."""

from typing import Any

import torch
from peft import PeftModel
from vllm import LLM, SamplingParams

from core.config import RunConfig
from core.planner.constants import CPU_BLOCK_TOKENS
from core.worker.dtype import compute_dtype
from core.worker.engines.adapter_sync.lora_slot import AdapterSlot, WrittenSlot
from core.worker.engines.adapter_sync.merged import ReloadedWeights, WrittenWeights
from core.worker.engines.adapter_sync.sync import AdapterSync
from core.worker.engines.engine import Sample, Sampling, kept_random_state, seed_everything
from core.worker.engines.vllm.categorical import sample
from core.worker.upstream.vllm import fast_paths, kv_sleep
from core.worker.upstream.vllm.llm import is_quantized, quieten, scheduler_of, shut_down
from core.worker.upstream.vllm.weight_views import Shapes, weight_views

# vLLM runs at most this many sequences together; more wait their turn inside it.
MOST_SEQUENCES = 256
# Both chosen once and not anew by each run's clock: a resumed run has to go the way that it began.
# Measured on two cores, 32 completions of 16 to 128 tokens: 430 tokens/s merged, 190 through the slot.
ON_CPU = "on a CPU the engine samples more than twice as fast with merged weights as through its adapter slot"
# Measured on an H100 with the demo, 40 steps: reward 0.99 through the slot, 0.27 merged (data/gpu_proof.json).
ON_GPU = "rounding to bf16 swallows much of a young adapter when it is merged; a GPU's slot takes it whole"


class VllmEngine:
    """Paged KV cache and continuous batching; the adapter arrives by one of `adapter_sync`.

    options  arguments for vLLM's LLM beside those that follow from the config
    """

    name = "vllm"

    def __init__(self, config: RunConfig, folder: str, device: torch.device, **options: Any) -> None:
        if config.sleep_kv_cache:
            kv_sleep.check_can_sleep()
        on_cpu = device.type == "cpu"
        self.adapter_sync, self.reason = config.adapter_sync, ""
        if config.adapter_sync == "auto":
            self.adapter_sync, self.reason = ("merged", ON_CPU) if on_cpu else ("slot", ON_GPU)
        if self.adapter_sync == "slot":
            fast_paths.serve_one_adapter(config.engine_rank, on_cpu)
        self._llm = LLM(
            model=folder,
            dtype=compute_dtype(device),
            max_model_len=config.prompt_tokens + config.completion_tokens,
            max_num_seqs=min(config.batch_size, MOST_SEQUENCES),
            seed=config.seed,
            generation_config="vllm",  # the config decides how to sample, not a file beside the weights
            logprobs_mode="processed_logprobs",  # of the distribution that was sampled: temperature and cuts included
            disable_log_stats=True,
            trust_remote_code=False,
            **{
                **_memory(config, on_cpu),
                **(_slot(config) if self.adapter_sync == "slot" else {}),
                **fast_paths.scheduling(on_cpu),
                **options,
            },
        )
        self._take = fast_paths.taking(scheduler_of(self._llm))
        quieten()
        self.notices = tuple(fast_paths.patch_cpu(self._llm, sample)) if on_cpu else ()
        merged = ReloadedWeights(self._llm) if on_cpu else WrittenWeights(self._llm)
        slot = AdapterSlot(self._llm) if on_cpu else WrittenSlot(self._llm)
        self._known: dict[str, AdapterSync] = {"merged": merged, "slot": slot}
        self._sync = self._known[self.adapter_sync]
        self._sleeps, self._asleep = config.sleep_kv_cache, False
        self.asleep_bytes = 0

    def connect(self, policy: PeftModel) -> None:
        for sync in self._known.values():
            sync.connect(policy)
        quantized = policy.get_base_model().config.to_dict().get("quantization_config")
        if self.adapter_sync == "slot" and quantized and not is_quantized(self._llm):
            self._known["merged"].leave()  # the engine's 16-bit base becomes the one that the trainer computes with

    def sync(self) -> None:
        self._sync.push()

    def generate(self, prompts: list[list[int]], group_size: int, sampling: Sampling) -> list[list[Sample]]:
        self._wake()
        if sampling.lengths:  # each completion its own request: what vLLM makes of n completions anyway
            prompts = [ids for ids in prompts for _ in range(group_size)]
            wanted = [_parameters(sampling, max_tokens=length, ignore_eos=True) for length in sampling.lengths]
        else:
            wanted = [_parameters(sampling, n=group_size, max_tokens=sampling.max_tokens)] * len(prompts)
        with kept_random_state():
            self._llm.reset_prefix_cache()  # it holds keys and values of the weights before
            # One draw from the global generator for the whole batch; a seed in each request samples row by row.
            seed_everything(sampling.seed)
            outputs = self._llm.generate(
                [{"prompt_token_ids": ids} for ids in prompts],
                wanted,
                use_tqdm=False,
                lora_request=self._sync.request(),
            )
        if self._take is not None:
            samples = [_kept_sample(rollout) for rollout in self._take()]
        else:
            samples = [_sample(completion) for output in outputs for completion in output.outputs]
        return [samples[start : start + group_size] for start in range(0, len(samples), group_size)]

    def rest(self) -> None:
        if self._sleeps and not self._asleep:
            self.asleep_bytes = kv_sleep.kv_cache_bytes(self._llm)
            kv_sleep.sleep(self._llm)
            self._asleep = True

    def weight_views(self, shapes: Shapes) -> dict[str, torch.Tensor]:
        """The engine's own memory for these names of the base checkpoint; see `weight_views`."""
        [views] = self._llm.apply_model(lambda model: weight_views(model, shapes))
        return dict(views)

    def close(self) -> None:
        self._wake()
        shut_down(self._llm)

    def _wake(self) -> None:
        if self._asleep:
            kv_sleep.wake_up(self._llm)
            self._asleep, self.asleep_bytes = False, 0


def _memory(config: RunConfig, on_cpu: bool) -> dict[str, Any]:
    if on_cpu:
        # Inductor needs more than a minute to compile for a CPU and gains a third; a run would not earn that back.
        return {"enforce_eager": True, "block_size": CPU_BLOCK_TOKENS}
    return {"gpu_memory_utilization": config.gpu_memory_utilization, "enable_sleep_mode": config.sleep_kv_cache}


def _slot(config: RunConfig) -> dict[str, Any]:
    return {"enable_lora": True, "max_loras": 1, "max_lora_rank": config.engine_rank}


def _parameters(sampling: Sampling, **options: Any) -> SamplingParams:
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        logprobs=0,
        flat_logprobs=True,  # lists of numbers; an object for every token took a fifth of the sampling of a 1.5B model
        detokenize=False,  # completions travel as token ids
        **options,
    )


def _sample(completion: Any) -> Sample:
    flat = completion.logprobs
    return Sample(
        token_ids=tuple(completion.token_ids),
        logprobs=tuple(flat.logprobs[place] for place in flat.start_indices),  # the sampled token's is the first
        finish_reason=completion.finish_reason or "length",
    )


def _kept_sample(rollout: Any) -> Sample:
    return Sample(tuple(rollout.token_ids), tuple(rollout.logprobs), rollout.finish_reason)
