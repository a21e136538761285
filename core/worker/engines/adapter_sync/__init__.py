"""How the adapter reaches vLLM: merged into its weights, or in an adapter slot beside them."""
