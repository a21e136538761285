"""The training process. Started by name (`python -m core.worker RUN_ID`), imported by nobody.

The only place for torch, vllm, trl, peft, transformers and bitsandbytes. Modules that need them are imported after
the environment they read at import has been set.
"""
