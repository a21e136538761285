"""vLLM's insides: its scheduler, its LoRA layers, its allocator, its CPU kernels. What is only faster is imported where
the shelf says that the installed vLLM is one of those known, and nowhere else."""
