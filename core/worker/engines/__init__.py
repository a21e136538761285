"""What samples completions: vLLM where it is installed, transformers' generate elsewhere, behind one protocol."""

from core.worker.engines.attach import attach_engine
from core.worker.engines.engine import InferenceEngine, Sample, Sampling

__all__ = ["InferenceEngine", "Sample", "Sampling", "attach_engine"]
