"""Samples with one engine and prints what a test wants to know. Run as a program: vLLM changes the process it is in.

python sample_program.py ENGINE MODEL_FOLDER

ENGINE is transformers, or vllm with the way the adapter takes: vllm-merged, vllm-slot, vllm-written (a slot written to
directly, as on a GPU).
"""

import json
import random
import sys
from dataclasses import asdict
from typing import Any

from core.config import make_config
from core.installation import detected_gpu
from core.settings import set_engine_environment

set_engine_environment(kv_cache_gib=1)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from peft.tuners.lora import LoraLayer  # noqa: E402

from core.errors import RunError  # noqa: E402
from core.worker.checks.adapter_live import mean_difference, probe_adapter, prove_live  # noqa: E402
from core.worker.engines.attach import attach_engine  # noqa: E402
from core.worker.engines.engine import Sampling  # noqa: E402
from core.worker.loading.weights import attach_adapter, load_base, load_tokenizer  # noqa: E402

PROMPTS = ["What is 2+2?", "Name a colour.", "Say yes."]


def main(engine_name: str, folder: str) -> None:
    name, _, way = engine_name.partition("-")
    fast = "on" if name == "vllm" else "off"
    values = {"model": folder, "recipe": "addition", "rank": 8, "fast_inference": fast, "group_size": 3}
    gpu = detected_gpu()
    values |= {"gpu": gpu.id, "gpu_memory_utilization": 0.2}
    config = make_config({**values, "adapter_sync": "slot" if way == "written" else way or "auto"})
    device, tokenizer = torch.device("cpu" if gpu.kind == "cpu" else "cuda"), load_tokenizer(folder)
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    threads = torch.get_num_threads()
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    dtype = torch.get_default_dtype()
    engine = attach_engine(config, folder, tokenizer, device)
    if way == "written":
        from core.worker.engines.adapter_sync.lora_slot import WrittenSlot

        engine._known["slot"] = engine._sync = WrittenSlot(engine._llm)  # type: ignore[attr-defined]
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    torch.set_num_threads(threads)  # must be the real one again, whatever the engine did to it
    policy = attach_adapter(load_base(folder, config, device), config)
    engine.connect(policy)
    prompts = [
        list(
            tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True)["input_ids"]
        )
        for text in PROMPTS
    ]
    proof = prove_live(policy, engine, prompts, seed=0)

    def sample(seed: int, tokens: int = 12, temperature: float = 1.0, top_k: int = 0) -> list:  # type: ignore[type-arg]
        return engine.generate(prompts, 3, Sampling(temperature, 1.0, top_k, tokens, seed))

    first, again, other = sample(7), sample(7), sample(8)
    with probe_adapter(policy, 5):
        engine.sync()
        probed = sample(7)
        probed_difference = mean_difference(policy, prompts, probed)
    engine.sync()
    broken = broken_ways(engine) if way in ("merged", "slot") else {}
    caught = {}
    if broken:
        engine._sync.leave()  # type: ignore[attr-defined]
    for fault, broken_way in broken.items():
        kept, engine._sync = engine._sync, broken_way  # type: ignore[attr-defined]
        broken_way.connect(policy)
        try:
            prove_live(policy, engine, prompts, seed=0)
            caught[fault] = ""
        except RunError as error:
            caught[fault] = error.kind
        broken_way.leave()
        engine._sync = kept  # type: ignore[attr-defined]
    if broken:
        engine.sync()
    sys.stdout.write(
        "RESULT "
        + json.dumps(
            {
                "name": engine.name,
                "caught": caught,
                "kept": [str(one) == str(two) for one, two in zip(before, after, strict=True)],
                "threads": [threads, torch.get_num_threads()],
                "dtype_kept": torch.get_default_dtype() == dtype and torch.zeros(1).dtype == dtype,
                "proof": asdict(proof),
                "shape": [len(group) for group in first],
                "same": first == again,
                "different": first != other,
                "restored": sample(7) == first,
                "probed": probed != first,
                "probed_difference": probed_difference,
                "lengths_agree": all(len(s.token_ids) == len(s.logprobs) for group in first for s in group),
                "longest": max(len(s.token_ids) for group in first for s in group),
                "reasons": sorted({s.finish_reason for group in sample(7, tokens=200) for s in group}),
                "cut": {s.finish_reason for group in sample(7, tokens=1) for s in group} <= {"length", "stop"},
                "greedy": len({s.token_ids for s in sample(9, temperature=0.01)[0]}),
                "top_1": len({s.token_ids for s in sample(9, top_k=1)[0]}),
                "top_1_logprob": max(abs(lp) for s in sample(9, top_k=1)[0] for lp in s.logprobs),
            }
        )
        + "\n"
    )
    engine.close()


def broken_ways(engine: Any) -> dict[str, Any]:
    """The engine's own way of taking the adapter, with a fault that only the proof can see."""
    kind = type(engine._sync)

    class NotApplied(kind):  # type: ignore[misc, valid-type]
        def push(self) -> None:
            self.leave()

    class Stale(kind):  # type: ignore[misc, valid-type]
        pushes = 0

        def push(self) -> None:
            self.pushes += 1
            if self.pushes == 1:
                super().push()

    class WrongScale(kind):  # type: ignore[misc, valid-type]
        def push(self) -> None:
            layers = [module for module in self._policy.modules() if isinstance(module, LoraLayer)]
            for layer in layers:
                layer.scaling["default"] *= 4
                layer.lora_B["default"].weight.data.mul_(4)
            super().push()
            for layer in layers:
                layer.scaling["default"] /= 4
                layer.lora_B["default"].weight.data.div_(4)

    return {kind.__name__: kind(engine._llm) for kind in (NotApplied, Stale, WrongScale)}


if __name__ == "__main__":
    main(*sys.argv[1:])
