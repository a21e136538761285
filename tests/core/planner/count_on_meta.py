"""Count the parameters of real architectures built on the meta device, where weights take no memory.

Run as a program: a JSON list of configs on stdin, a JSON list of counts on stdout.
"""

import json
import sys
import warnings
from typing import Any


def count(config: dict[str, Any]) -> int:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    fields = dict(config)
    if fields.get("sliding_window") == 0:  # the catalogue's way to write null
        fields["sliding_window"] = None
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(fields.pop("model_type"), **fields))
    return sum(parameter.numel() for parameter in model.parameters())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    json.dump([count(config) for config in json.load(sys.stdin)], sys.stdout)
