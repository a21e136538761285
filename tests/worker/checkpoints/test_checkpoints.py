"""Checkpoints: whole or passed over, the newest and the best kept, every part of the state brought back."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_support import tiny_policy

from core.records.run import Checkpoint
from core.worker.checkpoints.files import TrainingState
from core.worker.checkpoints.retention import Checkpoints
from core.worker.checkpoints.trainer_state import capture, restore, restore_random


def make(folder: Path, keep: int = 2) -> Checkpoints:
    return Checkpoints(folder, keep, "some/model")


def trained(policy: Any, steps: int) -> tuple[torch.optim.Optimizer, Any]:
    optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=1e-2)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    for _ in range(steps):
        advance(policy, optimizer, scheduler)
    return optimizer, scheduler


def advance(policy: Any, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
    optimizer.zero_grad()
    (policy(torch.randint(0, 256, (1, 12))).logits ** 2).mean().backward()
    optimizer.step()
    scheduler.step()


def weights(policy: Any) -> list[torch.Tensor]:
    return [p.detach().clone() for p in policy.parameters() if p.requires_grad]


def test_training_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    torch.manual_seed(5), np.random.seed(6), random.seed(7)
    policy = tiny_policy("llama")
    optimizer, scheduler = trained(policy, 3)
    checkpoints = make(tmp_path)
    checkpoints.write(3, 0.5, policy, capture(optimizer, scheduler, step=3))
    drawn = torch.rand(2), np.random.rand(), random.random()
    advance(policy, optimizer, scheduler)
    expected = weights(policy)

    other = tiny_policy("llama")
    found = checkpoints.newest()
    kept = checkpoints.load(found, other)
    assert kept is not None
    assert (found.step, kept.values["step"], found.damaged) == (3, 3, ())
    fresh, schedule = trained(other, 0)
    restore(fresh, schedule, kept)
    restore_random(kept)
    assert torch.equal(torch.rand(2), drawn[0])
    assert (np.random.rand(), random.random()) == drawn[1:]
    advance(other, fresh, schedule)
    assert schedule.get_last_lr() == scheduler.get_last_lr()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(weights(other), expected, strict=True))


@pytest.mark.parametrize("harm", ["missing", "changed", "no manifest", "bad manifest"])
def test_a_damaged_one_is_passed_over_and_named(tmp_path: Path, harm: str) -> None:
    policy, checkpoints = tiny_policy("llama"), make(tmp_path)
    for step in (1, 2):
        checkpoints.write(step, None, policy, TrainingState({"x": torch.ones(3)}, {"step": step}))
    newest = tmp_path / "step-000002"
    if harm == "missing":
        (newest / "adapter_model.safetensors").unlink()
    elif harm == "changed":
        (newest / "training.json").write_text(json.dumps({"step": 3}), encoding="utf-8")
    elif harm == "no manifest":
        (newest / "manifest.json").unlink()
    else:
        (newest / "manifest.json").write_text("{", encoding="utf-8")
    found = checkpoints.newest()
    assert found.step == 1
    assert len(found.damaged) == 1
    assert "step-000002" in found.damaged[0]


def test_nothing_whole_means_from_the_start(tmp_path: Path) -> None:
    checkpoints = make(tmp_path / "none")
    assert checkpoints.newest().folder is None
    assert checkpoints.load(checkpoints.newest(), tiny_policy("llama")) is None


def test_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    def known(*rewards: float | None) -> list[Checkpoint]:
        return [Checkpoint(step, f"{tmp_path}/{step}", "", reward, 0.0) for step, reward in enumerate(rewards, start=1)]

    checkpoints = make(tmp_path)
    assert [gone.step for gone in checkpoints.surplus(known(0.1, 0.9, 0.2, 0.3))] == [1]
    assert [gone.step for gone in checkpoints.surplus(known(0.1, 0.2, 0.3, 0.9))] == [1, 2]
    assert [gone.step for gone in checkpoints.surplus(known(None, None, None))] == [1]
    assert checkpoints.surplus(known(0.5)) == []


def test_a_write_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    policy, checkpoints = tiny_policy("llama"), make(tmp_path)
    checkpoints.write(1, None, policy, TrainingState({"x": torch.ones(3)}, {"step": 1}))
    with pytest.raises(TypeError):
        checkpoints.write(1, None, policy, TrainingState({"x": torch.ones(3)}, {"step": object()}))
    assert checkpoints.newest().step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]
