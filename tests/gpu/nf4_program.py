"""An engine that holds its weights in NF4 itself, following an NF4 trainer: python nf4_program.py MODEL_FOLDER."""

import json
import sys
from dataclasses import asdict

from core.config import make_config
from core.installation import detected_gpu
from core.settings import set_engine_environment

set_engine_environment(kv_cache_gib=1)

import torch  # noqa: E402

from core.worker.checks.adapter_live import prove_live  # noqa: E402
from core.worker.engines.engine import Sampling  # noqa: E402
from core.worker.engines.vllm.engine import VllmEngine  # noqa: E402
from core.worker.loading.weights import attach_adapter, load_base  # noqa: E402

PROMPTS = [[504 + 3 * place + line for place in range(12)] for line in range(3)]


def main(folder: str) -> None:
    values = {"model": folder, "recipe": "addition", "rank": 8, "group_size": 3, "quantization": "nf4"}
    values |= {"gpu": detected_gpu().id, "gpu_memory_utilization": 0.2, "adapter_sync": "slot"}
    config, device = make_config(values), torch.device("cuda")
    engine = VllmEngine(config, folder, device, quantization="bitsandbytes")
    weights = engine._llm.apply_model(lambda model: sum(p.numel() * p.element_size() for p in model.parameters()))
    policy = attach_adapter(load_base(folder, config, device), config)
    engine.connect(policy)
    proof = prove_live(policy, engine, PROMPTS, seed=0)
    samples = [engine.generate(PROMPTS, 3, Sampling(1.0, 1.0, 0, 12, 7)) for _ in range(2)]
    told = {"proof": asdict(proof), "weight_bytes": weights[0], "same": samples[0] == samples[1]}
    sys.stdout.write(f"RESULT {json.dumps(told)}\n")
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1])
