"""Measurements on a GPU machine without network. `tools/gpu_proof.py` runs them; every task is a process of its own."""
