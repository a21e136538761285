"""The shelf: every private name of another project that is used here, with what to know when it changes."""

import functools

from core.worker.upstream.shim import Shim, all_of, holds, reads, release_is, takes

TRL, TRAINER = "TRL 1.16", "trl/trainer/grpo_trainer.py"
VLLM = "vLLM 0.26 and 0.31"
SCHEDULER, LORA = "vllm.v1.core.sched.scheduler:Scheduler", "vllm.lora.layers.base_linear:BaseLinearLayerWithLoRA"
CUMEM = "vllm.device_allocator.cumem"


def _punica_wrapper() -> str:
    """The class that vLLM has for this device, as "module:Class"."""
    from vllm.platforms import current_platform

    module, _, name = current_platform.get_punica_wrapper().rpartition(".")
    return f"{module}:{name}"


SHIMS = (
    Shim(
        project="trl",
        name="GRPOTrainer._prepare_inputs",
        why="a step of our own hands over its micro-batches: groups stay whole, where TRL shuffles them apart",
        known=TRL,
        upstream=f"{TRAINER}; `rollout_func` is public, but keeps TRL's scoring and its shuffle",
        until="TRL takes scored batches from outside",
        check=takes("trl:GRPOTrainer._prepare_inputs", "generation_batch"),
    ),
    Shim(
        project="trl",
        name="GRPOTrainer._get_per_token_logps_and_entropies",
        why="packed groups are scored with their prompt computed once",
        known=TRL,
        upstream=f"{TRAINER}; shared prompts are huggingface/trl issue 3549 and pull request 7328",
        until="TRL packs the groups of its synchronous trainer by their prompt",
        check=takes(
            "trl:GRPOTrainer._get_per_token_logps_and_entropies",
            *("model", "input_ids", "attention_mask", "logits_to_keep", "batch_size", "compute_entropy"),
        ),
    ),
    Shim(
        project="trl",
        name="GRPOTrainer._compute_loss",
        why="it takes the importance ratio from its inputs where an engine has sampled",
        known=TRL,
        upstream=TRAINER,
        until="TRL documents the inputs of its loss",
        check=reads(
            "trl:GRPOTrainer._compute_loss",
            *("importance_sampling_ratio", "ref_per_token_logps", "num_items_in_batch", "use_vllm"),
            "vllm_importance_sampling_correction",
        ),
    ),
    Shim(
        project="transformers",
        name="sdpa_attention_forward",
        why="what attention does in a forward pass that brings no layout of groups",
        known="transformers 5.17",
        upstream="transformers/integrations/sdpa_attention.py",
        until="registered attention functions can call the one they replace",
        check=takes(
            "transformers.integrations.sdpa_attention:sdpa_attention_forward",
            *("module", "query", "key", "value", "attention_mask", "scaling"),
        ),
        without="groups are padded, not packed",
    ),
    Shim(
        project="transformers",
        name="PreTrainedConfig._attn_implementation",
        why="which attention a model has, to try another and to put it back",
        known="transformers 5.17",
        upstream="transformers/configuration_utils.py",
        until="a model tells its attention in public",
        check=holds("transformers:PreTrainedConfig", "_attn_implementation"),
    ),
    Shim(
        project="torch",
        name="torch.ops.aten._flash_attention_forward",
        why="FlashAttention 2 over sequences of different lengths whose queries and keys differ in number",
        known="torch 2.11 to 2.13",
        upstream="aten/src/ATen/native/native_functions.yaml",
        until="a public attention over sequences whose queries and keys differ in number has a gradient",
        check=holds("torch:ops.aten", "_flash_attention_forward", "_flash_attention_backward"),
        without="a GPU packs groups in masked rows",
        device="cuda",
    ),
    Shim(
        project="peft",
        name="LoraLayer.cast_input_dtype_enabled",
        why="PEFT copies each layer's input to fp32 and autocast copies it back: the same numbers at more cost",
        known="PEFT 0.21",
        upstream="peft/tuners/tuners_utils.py; huggingface/peft pull request 2353",
        until="get_peft_model takes it as an argument",
        check=reads("peft.tuners.tuners_utils:BaseTunerLayer._cast_input_dtype", "cast_input_dtype_enabled"),
        without="updates take more memory than planned, and longer",
    ),
    Shim(
        project="bitsandbytes",
        name="Linear4bit.support_avx512bf16_for_cpu",
        why="such a layer repacks its weights at the first forward without gradient; what is dequantised then is noise",
        known="bitsandbytes 0.50",
        upstream="bitsandbytes/nn/modules.py; pull request 1804",
        until="dequantize_4bit reads repacked weights",
        check=reads("bitsandbytes.nn:Linear4bit.__init__", "support_avx512bf16_for_cpu"),
    ),
    Shim(
        project="vllm",
        name="LLM.llm_engine.engine_core.engine_core",
        why="the engine in this process: its scheduler keeps what was sampled",
        known=VLLM,
        upstream="vllm/v1/engine/core_client.py, InprocClient",
        until="LLM hands out samples without the front end's work for each token",
        check=reads("vllm.v1.engine.core_client:InprocClient.__init__", "engine_core"),
    ),
    Shim(
        project="vllm",
        name="Worker.reload_weights",
        why="merged weights go into a running engine through its own loader",
        known="vLLM 0.31",
        upstream="vllm/v1/worker/gpu_model_runner.py; issue 32718, public weight transfer in pull request 31943",
        until="vLLM's weight transfer works inside one process",
        check=takes("vllm.v1.worker.gpu_model_runner:GPUModelRunner.reload_weights", "weights_iterator"),
        device="cpu",
    ),
    Shim(
        project="vllm",
        name="BaseLinearLayerWithLoRA.set_lora",
        why="the adapter is written into its slot on the GPU, in milliseconds instead of through files",
        known=VLLM,
        upstream="vllm/lora/layers/base_linear.py",
        until="add_lora takes tensors",
        check=takes(f"{LORA}.set_lora", "index", "lora_a", "lora_b"),
    ),
    Shim(
        project="vllm",
        name="Scheduler",
        why="decode steps of a rollout are planned in one short pass: 11 ms of a GPU took 19 ms of planning",
        known=VLLM,
        upstream="vllm/v1/core/sched/scheduler.py; pluggable since pull request 14466, its interface not public",
        until="vLLM plans a step of 256 sequences in a millisecond",
        check=release_is("vllm", (0, 26), (0, 31)),
        without="each step is planned by vLLM's own scheduler, which is slower where sequences are many",
    ),
    Shim(
        project="vllm",
        name="PunicaWrapper.add_lora_linear",
        why="plain matrix products for the one adapter there is, instead of kernels that look up which of many",
        known=VLLM,
        upstream="vllm/lora/punica_wrapper; issue 10062",
        until="vLLM has a path for max_loras 1",
        check=lambda: takes(
            f"{_punica_wrapper()}.add_lora_linear",
            *("y", "x", "lora_a_stacked", "lora_b_stacked", "scale", "output_slices", "buffer"),
        )(),
        without="the adapter slot samples through vLLM's LoRA kernels, several times slower on a CPU",
    ),
    Shim(
        project="vllm",
        name="BaseLinearLayerWithLoRA._apply_sync",
        why="the adapter's first product is done by the layer's own: A lies as rows below its weights (GPU)",
        known=VLLM,
        upstream="vllm/lora/layers/base_linear.py, vllm/model_executor/layers/linear.py",
        until="vLLM fuses the adapter into its layers",
        check=all_of(
            takes(f"{LORA}._apply_sync", "x", "bias"),
            takes(
                "vllm.model_executor.layers.linear:UnquantizedLinearMethod.create_weights",
                *("layer", "output_partition_sizes"),
            ),
            holds("vllm.v1.worker.lora_model_runner_mixin:LoRAModelRunnerMixin", "load_lora_model"),
        ),
        without="the adapter's products on a GPU are their own kernels, a fifth of a decode step",
        device="cuda",
    ),
    Shim(
        project="vllm",
        name="cumem.unmap_and_release",
        why="the KV cache alone is given back while the trainer works (sleep_kv_cache)",
        known=VLLM,
        upstream="vllm/device_allocator/cumem.py; public since pull request 44890",
        until="0.30 is the oldest version supported: LLM.release_kv_cache_memory",
        check=holds(CUMEM, "unmap_and_release", "CuMemAllocator", "cumem_available"),
        without="sleep_kv_cache cannot be used",
        device="cuda",
    ),
    Shim(
        project="vllm",
        name="RMSNorm.forward",
        why="the CPU engine normalises with one kernel of its own instead of nine torch operations",
        known="vLLM 0.31",
        upstream="vllm/model_executor/layers/layernorm.py, torch.ops._C",
        until="vLLM's CPU build uses its kernel without compilation",
        check=holds("vllm.model_executor.layers.layernorm:RMSNorm", "forward_native"),
        without="a CPU samples a tenth slower",
        device="cpu",
    ),
    Shim(
        project="vllm",
        name="TopKTopPSampler.forward",
        why="one random number a sequence instead of one for each word of the vocabulary (CPU)",
        known="vLLM 0.31",
        upstream="vllm/v1/sample/ops/topk_topp_sampler.py",
        until="vLLM draws by the inverse of the cumulative distribution",
        check=takes(
            "vllm.v1.sample.ops.topk_topp_sampler:TopKTopPSampler.forward_native", "logits", "generators", "k", "p"
        ),
        without="a CPU samples a tenth slower",
        device="cpu",
    ),
)


@functools.cache
def works(name: str) -> bool:
    """Whether this private name is as expected."""
    return not next(shim for shim in SHIMS if shim.name == name).problem
