"""Choosing and starting the engine a config asks for."""

from importlib.util import find_spec

import torch
from transformers import PreTrainedTokenizerBase

from core.config import RunConfig
from core.errors import InvalidInput, RunError
from core.worker.engines.engine import InferenceEngine, kept_random_state
from core.worker.engines.transformers import TransformersEngine
from core.worker.upstream.expected import must_be_as_expected

INSTALL = "Run `make setup` to install it."
SLOW = "completions come from plain generate, several times slower than the engine"


def attach_engine(
    config: RunConfig, folder: str, tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> InferenceEngine:
    """The engine for `fast_inference`: on = vLLM or an error, auto = vLLM if it can be, off = plain generate."""
    if config.fast_inference == "off":
        return TransformersEngine(tokenizer, f"fast_inference is off, so {SLOW}. Set it to auto to attach vLLM.")
    try:
        from core.worker.engines.vllm.engine import VllmEngine
        from core.worker.upstream.vllm.llm import serves_cpu
    except ImportError as error:
        why = f"vLLM cannot be imported ({error})" if find_spec("vllm") else "vLLM is not installed"
        if config.fast_inference == "on":
            raise RunError("engine-missing", f"{why}.", INSTALL) from error
        return TransformersEngine(tokenizer, f"{why}, so {SLOW}. {INSTALL}")
    if device.type == "cpu" and not serves_cpu():
        return TransformersEngine(
            tokenizer, f"The installed vLLM serves GPUs only, so {SLOW}. Choose the GPU's profile."
        )
    lacking = must_be_as_expected(["vllm"], device.type)
    engine = _start(VllmEngine, config, folder, device)
    engine.notices = (*lacking, *engine.notices)
    return engine


def _start(kind: type, config: RunConfig, folder: str, device: torch.device) -> InferenceEngine:
    threads, set_threads = torch.get_num_threads(), torch.set_num_threads
    with kept_random_state():
        try:
            engine: InferenceEngine = kind(config, folder, device)
        except InvalidInput:
            raise
        except Exception as error:
            raise RunError(
                "engine-start",
                f"The vLLM engine did not start: {_last_line(error)}",
                "The details hold its own words. Where memory is short, change gpu_memory_utilization or kv_cache_gib; "
                "to go on without the engine, set fast_inference to off.",
            ) from error
    torch.set_num_threads = set_threads  # the CPU engine puts a function there that does nothing
    torch.set_num_threads(threads)
    return engine


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1][:300]}" if lines else type(error).__name__
