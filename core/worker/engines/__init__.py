"""What samples completions: vLLM where it is installed, transformers' generate elsewhere, behind one protocol."""
