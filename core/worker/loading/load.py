"""The one loading call: base model, adapter, tokenizer and engine for a config."""

from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from core.models.locate import check_weights
from core.planning.resolved_run import ResolvedRun
from core.worker.engines.attach import attach_engine
from core.worker.engines.engine import InferenceEngine
from core.worker.loading.progress import Progress
from core.worker.loading.shared import share_base
from core.worker.loading.weights import attach_adapter, fetch_folder, load_base, load_tokenizer
from core.worker.update.logprobs import settle_kernels
from core.worker.upstream.expected import must_be_as_expected, trainer_of


@dataclass(frozen=True)
class Loaded:
    """A policy ready to train and the engine that samples from it.

    lacking  what the run goes without because another project changed what nobody promised to keep
    """

    policy: PeftModel
    tokenizer: PreTrainedTokenizerBase
    engine: InferenceEngine
    folder: str
    lacking: tuple[str, ...] = ()


def load_policy(run: ResolvedRun, progress: Progress) -> Loaded:
    """Loads everything a run needs, announcing each phase.

    The engine starts first: it sizes its KV cache by what is free, and the trainer's weights come into what it left, or
    are the engine's own.
    Raises InvalidInput for a model that cannot be had or served, RunError when the engine does not start.
    """
    config = run.config
    device = torch.device("cuda" if torch.cuda.is_available() and config.gpu != "cpu" else "cpu")
    settle_kernels()
    with progress.phase("find model"):
        lacking = must_be_as_expected(trainer_of(config.quantization), device.type)
        folder = fetch_folder(run.model)
        check_weights(Path(folder))
        tokenizer = load_tokenizer(folder)
    with progress.phase("start engine"):
        engine = attach_engine(config, folder, tokenizer, device)
    with progress.phase("read weights"):
        base = share_base(folder, engine) if config.share_weights else load_base(folder, config, device)
    with progress.phase("attach adapter"):
        policy = attach_adapter(base, config)
        engine.connect(policy)
    return Loaded(policy, tokenizer, engine, folder, tuple(lacking))
