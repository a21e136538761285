"""The planner against published measurements.

A row is one measurement of a LoRA or QLoRA run in the planner's own terms; tests/data/measured_memory.json shows the
form. Nothing is fitted to a row: the prediction uses the counts and constants that a plan uses. It is compared with
what torch's allocator counted, so the driver's and the engine's share stay out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.catalogue import Catalogue
from core.config.run_config import LINEAR_MODULES, MLP_MODULES
from core.errors import InvalidInput
from core.planner import constants as c
from core.planner.activations import Batch, backward_lines, forward_lines
from core.planner.aliases import current
from core.planner.architectures import geometry_from_config
from core.planner.geometry import Geometry
from core.planner.weights import WIDTHS, adapter_parameters, base_weights

Row = Mapping[str, Any]
STORAGE = {"none": "", "nf4-dq": "nf4", "nf4": "nf4-single"}
# Bytes a trainable number; None: the adapter's own type decides.
STATES = {"adamw_torch": None, "adamw_8bit": c.ADAMW_8BIT, "paged_adamw_8bit": c.ADAMW_8BIT}
DTYPES = {"bf16": "bf16", "fp16": "bf16", "fp32": "fp32"}


def compare_published(rows: Sequence[Row], catalogue: Catalogue) -> dict[str, Any]:
    """Each row with `predicted_bytes` and `error` (predicted / measured - 1), and the mean and largest |error|.

    A model is looked up in the catalogue; a row may carry its config.json under `config` instead.

    Raises InvalidInput naming the row and the field that cannot be read, NotFound for a model that is not known.
    """
    if not isinstance(rows, list) or not rows:
        raise InvalidInput("rows", rows, "which holds no measurement", "give a list with at least one row")
    checked = []
    for number, row in enumerate(rows, start=1):
        reader = _Reader(row, number)
        predicted = _predict(reader, _geometry(reader, catalogue))
        error = predicted / reader.count("measured_bytes") - 1
        checked.append({**row, "predicted_bytes": predicted, "error": error})
    errors = [abs(row["error"]) for row in checked]
    return {"rows": checked, "mean_abs_error": sum(errors) / len(errors), "max_abs_error": max(errors)}


def _predict(row: "_Reader", geometry: Geometry) -> int:
    """Bytes that torch's allocator should count for this row."""
    modules = LINEAR_MODULES if row.get("target_modules") == "all-linear" else tuple(row.get("target_modules"))
    # Experts count as linear layers of their own: these benchmarks are from before transformers packed them.
    count = adapter_parameters(geometry, row.count("rank"), modules, packed_experts=False)
    width = WIDTHS[row.choice("adapter_dtype", WIDTHS)]
    states = row.choice("optimizer", STATES, called="optim")
    total = _weights(row, geometry) + count * width + round(c.CUBLAS_BYTES)
    total += round(count * (STATES[states] or c.ADAMW_STATES * width))
    total += count * width if row.flag("gradients_held") else 0
    if row.choice("what", ("resident", "peak")) == "resident":
        return total
    batch = _batch(row, modules, count)
    moments = forward_lines(geometry, batch), backward_lines(geometry, batch)
    return total + max(sum(line.bytes for line in lines) for lines in moments)


def _weights(row: "_Reader", geometry: Geometry) -> int:
    dtype = DTYPES[row.choice("base_dtype", DTYPES)]
    storage = STORAGE[row.choice("quantization", STORAGE)]
    total = base_weights(geometry, storage or dtype, packed_experts=False).bytes
    if storage and (row.flag("kbit_upcast") or dtype == "fp32"):
        others = geometry.parameters - geometry.linear_parameters
        total += others * (c.FP32 - c.BF16)
    return total + _rotary_tables(row, geometry)


def _rotary_tables(row: "_Reader", geometry: Geometry) -> int:
    """What transformers before 4.45 kept for rotary positions, where the source is known to have used it."""
    old = any(name in str(row.get("source", "")) for name in c.ROTARY_TABLE_SOURCES)
    if not old or geometry.model_type not in c.ROTARY_TABLE_TYPES:
        return 0
    tables = 2 * geometry.head_dim * geometry.max_position_embeddings * c.BF16
    return geometry.num_hidden_layers * tables


def _batch(row: "_Reader", modules: tuple[str, ...], count: int) -> Batch:
    sequences, fp32 = row.count("micro_batch"), row.get("adapter_dtype") == "fp32"
    given = row.get("logit_bytes", None)
    return Batch(
        tokens=sequences * row.count("tokens_per_sequence"),
        worked_tokens=sequences * row.count("tokens_per_sequence"),
        scored_tokens=sequences * row.count("scored_tokens_per_sequence"),
        mask_columns=0,  # flash attention over full rows
        recomputed=row.flag("gradient_checkpointing"),
        trains_mlp=any(name in MLP_MODULES for name in modules),
        fp32_inputs=fp32 and row.get("quantization") == "none",
        autocast_copy=count * c.AUTOCAST_COPY if fp32 else 0,
        head=row.choice("head", ("plain", "fused", "chunked")),
        logit_bytes=c.PLAIN_LOGIT if given is None else row.count("logit_bytes"),
    )


def _geometry(row: "_Reader", catalogue: Catalogue) -> Geometry:
    name = str(row.get("model"))
    config = row.get("config", None) or catalogue.find_model(name).geometry
    return geometry_from_config(config, f"config.json of {name}")


@dataclass(frozen=True)
class _Reader:
    """One row, with errors that say which row and field they are about."""

    row: Row
    number: int

    def get(self, name: str, *default: Any) -> Any:
        if not isinstance(self.row, Mapping) or (name not in self.row and not default):
            raise self._wrong(name, "which is missing", "describe the measurement completely")
        return self.row.get(name, *default)

    def count(self, name: str) -> int:
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._wrong(name, "which is not a whole number above zero", "give the measured figure")
        return value

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "which is neither true nor false", "give true or false")
        return value

    def choice(self, name: str, allowed: Mapping[str, Any] | Sequence[str], called: str = "") -> str:
        """One of the words allowed; `called` is a workload's name for the field, whose old words are taken as well."""
        _, value = current(called, self.get(name))
        if not isinstance(value, str) or value not in allowed:
            raise self._wrong(name, "which is not understood", f"use one of {', '.join(allowed)}")
        return value

    def _wrong(self, name: str, problem: str, remedy: str) -> InvalidInput:
        value = self.row.get(name) if isinstance(self.row, Mapping) else self.row
        return InvalidInput(f"{name} of row {self.number}", value, problem, remedy)
