"""vLLM in the worker's own process. Nothing outside this folder and `adapter_sync` names vLLM."""
