"""What runs really hold and take on this GPU, by phase, beside what the planner says."""

import gc
import itertools
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from models import DEVICE, DTYPE, model_folder, random_base

from core.config import RunConfig, make_config
from core.planning.resolved_run import resolve
from core.settings import Settings
from core.tasks.task import Example, Message, Reward, Task
from core.worker.checks.packing_exact import try_packing
from core.worker.engines.engine import Sampling
from core.worker.engines.transformers import TransformersEngine
from core.worker.loading.load import Loaded
from core.worker.loading.shared import share_base
from core.worker.loading.weights import PLAIN_TEMPLATE, attach_adapter, load_tokenizer
from core.worker.memory import held
from core.worker.training import prepare_training
from core.worker.update.logprobs import settle_kernels


def recipe_of(prompt_tokens: int) -> Task:
    """Prompts of exactly this many tokens, no two alike, rewards by chance: every group has a gradient."""
    chance = random.Random(0)

    def generate(source: str, seed: int) -> Iterator[Example]:
        for number in itertools.count():  # in binary, one token a digit
            words = "".join(" of" if digit == "1" else " the" for digit in f"{number:0{prompt_tokens - 1}b}")
            yield Example((Message(role="user", content=words),), {})

    reward = Reward("chance", 1.0, "random", lambda text, fields: chance.random())
    return Task("measure", "", "", (reward,), generate, lambda fields: "")


def tokenizer_of(folder: Path) -> Any:
    tokenizer = load_tokenizer(str(folder))
    tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def start(config: RunConfig, folder: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
    """The engine with random weights and what starting it took."""
    from core.worker.engines.vllm.engine import VllmEngine

    if os.environ.get("PROOF_UNCOMPILED"):  # starts sooner, samples a little slower
        options["compilation_config"] = {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}
    began = time.perf_counter()
    engine = VllmEngine(config, str(folder), DEVICE, load_format="dummy", **options)
    engine._llm.apply_model(_randomise)
    cache = engine._llm.llm_engine.vllm_config.cache_config
    facts = {
        "compiled": "compilation_config" not in options,
        "start_seconds": time.perf_counter() - began,
        "kv_blocks": cache.num_gpu_blocks,
        "block_tokens": cache.block_size,
        "started_bytes": held(),
    }
    return engine, facts


@torch.no_grad()
def _randomise(model: Any) -> None:
    """vLLM's own dummy weights are so small that no token depends on another, and whether packing is exact is tried."""
    for name, parameter in model.named_parameters():
        if parameter.dtype == DTYPE and parameter.dim() > 1:
            parameter.normal_(std=0.02)
        elif parameter.dtype == DTYPE:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def measure_rows(
    settings: Settings, work: Path, tokenizer: Path, common: Mapping[str, Any], rows: list[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """One engine, then a short training for each row, which may change what the trainer alone depends on."""
    folder = model_folder(str(common["model"]), work, tokenizer)
    values = {"recipe": "addition", "steps": 3, "adapter_sync": "auto", **common}
    engine, facts = start(make_config(values), folder)
    for row in rows:
        config = make_config({**values, **row})
        try:
            yield {**facts, "row": dict(row), "common": dict(common), **train(settings, config, folder, engine)}
        except Exception as error:
            yield {**facts, "row": dict(row), "common": dict(common), "error": f"{type(error).__name__}: {error}"[:500]}
        gc.collect()
        torch.cuda.empty_cache()


def train(settings: Settings, config: RunConfig, folder: Path, engine: Any) -> dict[str, Any]:
    """Three steps of the product's own trainer; peaks by phase, seconds by phase, and the plan."""
    settle_kernels()
    first = engine.adapter_sync
    base = share_base(str(folder), engine) if config.share_weights else random_base(folder, config.quantization)
    policy = attach_adapter(base, config)
    engine.connect(policy)
    with policy.disable_adapter():
        packing = try_packing(policy.get_base_model(), config)
    use(engine, first if config.adapter_sync == "auto" else config.adapter_sync)
    engine._sleeps = config.sleep_kv_cache
    tokenizer = tokenizer_of(folder)
    recipe = recipe_of(config.prompt_tokens)
    examples = recipe.examples(config.prompts_per_step * config.steps, 0)
    found: list[Any] = []

    def keep(step: Any) -> bool:
        found.append(step)
        return False

    with tempfile.TemporaryDirectory() as scratch:
        loaded = Loaded(policy, tokenizer, engine, str(folder))
        prepare_training(loaded, config, recipe, examples, Path(scratch), keep, packed=packing.packed).run()
    engine.rest()
    planned = resolve(settings, config).plan
    result = {
        "planned": {phase.name: phase.total_bytes for phase in planned.phases},
        "planned_kv_blocks": planned.kv_cache.blocks,
        "planned_kv_bytes": planned.kv_cache.bytes,
        "planned_lines": {p.name: {line.name: line.bytes for line in p.lines} for p in planned.phases},
        "measured": {name: max(step.memory[name] for step in found) for name in ("rollout", "sync", "update")},
        "seconds": [dict(step.seconds) for step in found],
        "tokens": [sum(c.length for g in step.groups for c in g.completions) for step in found],
        "mismatch": [step.metrics.get("mismatch/mean") for step in found],
        "way": engine.adapter_sync,
        "packing": packing.reason,
    }
    engine._wake()
    use(engine, first)
    engine._sync.leave()
    for way in engine._known.values():
        way._policy = None
    return result


def use(engine: Any, way: str) -> None:
    """Changes to another way of an engine that has room for both."""
    if way != engine.adapter_sync:
        engine._sync.leave()
        engine._sync, engine.adapter_sync = engine._known[way], way


def generation(
    work: Path, tokenizer: Path, common: Mapping[str, Any], options: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[dict[str, Any]]:
    """Tokens a second: the engine, then transformers' generate with the adapter; sync times on the way.

    options  arguments for vLLM's LLM: what its weights are quantised to
    """
    folder = model_folder(str(common["model"]), work, tokenizer)
    config = make_config({"recipe": "addition", "adapter_sync": "auto", **common})
    engine, facts = start(config, folder, **options)
    yield {"engine": {**facts, **options}}
    # Merged weights would be written into a base that is shared, quantised ones are none to share.
    shared = engine.adapter_sync == "slot" and not options
    base = share_base(str(folder), engine) if shared else random_base(folder, config.quantization)
    policy = attach_adapter(base, config)
    engine.connect(policy)
    prompts = [[5 + (7 * i + j) % 4000 for j in range(config.prompt_tokens)] for i in range(config.prompts_per_step)]
    sampling = Sampling(1.0, 1.0, 0, config.completion_tokens, 1)
    syncs = [_timed(engine.sync) for _ in range(6)]
    runs, tokens = _speeds(engine, prompts, config.group_size, sampling, 3)
    yield {"way": engine.adapter_sync, "sync_seconds": syncs, "tokens_per_second": runs, "tokens": tokens}
    engine._scheduler._plain = False  # each step planned as vLLM plans it
    runs, tokens = _speeds(engine, prompts, config.group_size, sampling, 2)
    yield {"way": engine.adapter_sync, "planned_by": "vllm", "tokens_per_second": runs, "tokens": tokens}
    if shared:
        stock = TransformersEngine(tokenizer_of(folder))
        stock.connect(policy.eval())
        stock.generate(prompts[:1], 2, Sampling(1.0, 1.0, 0, 4, 1))
        runs, tokens = _speeds(stock, prompts, config.group_size, sampling, 2)
        yield {"stock": "generate with the adapter, bf16", "tokens_per_second": runs, "tokens": tokens}


def _speeds(
    engine: Any, prompts: list[list[int]], group_size: int, sampling: Sampling, times: int
) -> tuple[list[float], int]:
    """Tokens a second of each of so many batches, and the tokens of the last."""
    speeds, tokens = [], 0
    for _ in range(times):
        began = time.perf_counter()
        groups = engine.generate(prompts, group_size, sampling)
        tokens = sum(len(sample.token_ids) for group in groups for sample in group)
        speeds.append(tokens / (time.perf_counter() - began))
    return speeds, tokens


def syncs(work: Path, tokenizer: Path, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Seconds of one sync each way, with weights of the trainer's own."""
    folder = model_folder(str(common["model"]), work, tokenizer)
    config = make_config({"recipe": "addition", "adapter_sync": "auto", **common})
    engine, _ = start(config, folder, enforce_eager=True)
    policy = attach_adapter(random_base(folder, config.quantization), config)
    engine.connect(policy)
    for way in ("slot", "merged"):  # auto has one way on each kind of device; both are there to be measured
        use(engine, way)
        yield {"way": way, "sync_seconds": [_timed(engine.sync) for _ in range(8)]}


def floor() -> dict[str, float]:
    """Bytes a second of a copy (read and written) and bf16 operations a second of a matrix product, on random data."""
    source = torch.randn(2**31, device=DEVICE, dtype=torch.bfloat16)
    target = torch.empty_like(source)
    copies = [_timed(lambda: target.copy_(source)) for _ in range(12)][2:]
    a = torch.randn(8192, 8192, device=DEVICE, dtype=torch.bfloat16)
    b = torch.randn(8192, 8192, device=DEVICE, dtype=torch.bfloat16)
    products = [_timed(lambda: a @ b) for _ in range(22)][2:]
    return {
        "bytes_per_second": 2 * source.numel() * 2 / statistics.median(copies),
        "flops_per_second": 2 * 8192**3 / statistics.median(products),
    }


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


__all__ = ["floor", "generation", "measure_rows", "syncs"]
