"""How the adapter reaches the engine: the choice between the ways, and where the engine's own weights lie."""

import pytest
import torch

from core.config import make_config
from core.errors import InvalidInput
from core.records.run import SyncChoice
from core.worker.upstream.vllm.weight_views import weight_views

CONFIG = {"model": "m", "recipe": "addition", "gpu": "h100-80gb"}


def test_a_choice_is_told_in_a_sentence() -> None:
    assert SyncChoice("merged", reason="on a CPU it is faster").sentence == "merged push: on a CPU it is faster"
    measured = SyncChoice("merged", {"slot": 0.1, "merged": 0.4}, {"slot": 0.004, "merged": 0.002})
    assert measured.sentence == "merged push, 0.4 s and 2 ms a token (adapter slot: 0.1 s and 4 ms a token)"


class Fused(torch.nn.Module):
    """The layout of an engine: q, k, v in one matrix, gate and up in another, the vocabulary rounded up."""

    packed_modules_mapping = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"]}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.qkv_proj = torch.nn.Linear(8, 8 + 4 + 4)
        self.gate_up_proj = torch.nn.Module()
        self.gate_up_proj.base_layer = torch.nn.Linear(8, 12, bias=False)  # as where an adapter slot surrounds it
        self.embed_tokens = torch.nn.Embedding(64, 8)


def shapes(**sizes: tuple[int, ...]) -> dict[str, torch.Size]:
    return {name.replace("__", "."): torch.Size(size) for name, size in sizes.items()}


def test_every_checkpoint_name_has_its_place() -> None:
    model = torch.nn.ModuleDict({"layer": Fused()})
    model.packed_modules_mapping = Fused.packed_modules_mapping  # type: ignore[assignment]
    found = weight_views(
        model,
        shapes(
            layer__q_proj__weight=(8, 8), layer__k_proj__weight=(4, 8), layer__v_proj__weight=(4, 8),
            layer__q_proj__bias=(8,), layer__k_proj__bias=(4,), layer__v_proj__bias=(4,),
            layer__gate_proj__weight=(6, 8), layer__up_proj__weight=(6, 8), layer__embed_tokens__weight=(60, 8),
        ),
    )  # fmt: skip
    fused = model["layer"]
    assert torch.equal(found["layer.k_proj.weight"], fused.qkv_proj.weight[8:12])
    assert torch.equal(found["layer.v_proj.bias"], fused.qkv_proj.bias[12:])
    with torch.no_grad():
        found["layer.up_proj.weight"].fill_(3.0)
    assert (fused.gate_up_proj.base_layer.weight[6:] == 3.0).all()
    assert (fused.gate_up_proj.base_layer.weight[:6] != 3.0).all()
    assert found["layer.embed_tokens.weight"].data_ptr() == fused.embed_tokens.weight.data_ptr()


@pytest.mark.parametrize("name", ["layer.o_proj.weight", "layer.q_proj.weight"])
def test_another_layout_is_refused(name: str) -> None:
    model = torch.nn.ModuleDict({"layer": Fused()})
    model.packed_modules_mapping = Fused.packed_modules_mapping  # type: ignore[assignment]
    with pytest.raises(LookupError, match=name):
        weight_views(model, {name: torch.Size((8, 9))})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"share_weights": True}, "set adapter_sync to slot"),
        ({"share_weights": True, "adapter_sync": "merged"}, "set adapter_sync to slot"),
        ({"share_weights": True, "adapter_sync": "slot", "quantization": "nf4"}, "quantization to none"),
        ({"share_weights": True, "adapter_sync": "slot", "fast_inference": "off"}, "leaves its base weights alone"),
        ({"share_weights": True, "adapter_sync": "slot", "gpu": "cpu"}, "repacks its weights"),
        ({"sleep_kv_cache": True, "gpu": "cpu"}, "only a GPU engine"),
    ],
)
def test_what_cannot_be_held_is_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        make_config({**CONFIG, **values})


def test_what_can_be_held_is_taken() -> None:
    config = make_config({**CONFIG, "share_weights": True, "adapter_sync": "slot", "sleep_kv_cache": True})
    assert config.share_weights
    assert config.sleep_kv_cache
