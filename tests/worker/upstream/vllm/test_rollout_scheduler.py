"""Rollouts planned in one pass a step: the same tokens as vLLM's own scheduler hands out, over a fake of the model."""

import copy
import random
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from tiny_support import save_tiny
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.engine.arg_utils import EngineArgs
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import LogprobsLists, ModelRunnerOutput
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager

from core.worker.upstream import shim, shims
from core.worker.upstream.vllm.fast_paths import scheduling
from core.worker.upstream.vllm.rollout_scheduler import AsyncRolloutScheduler, RolloutScheduler

BLOCK, VOCABULARY, LONGEST = 16, 50, 120
END, STOP = 7, 11
Found = dict[str, tuple[list[int], list[float], str]]


class FakeModel:
    """Draws by request and position, and answers only where it was told of a block for every position."""

    def __init__(self) -> None:
        self.blocks: dict[str, list[int]] = {}
        self.prompts: dict[str, int] = {}
        self.steps = 0

    def execute(self, step: Any) -> ModelRunnerOutput:
        self.steps += 1
        computed = {}
        for new in step.scheduled_new_reqs:
            self.blocks[new.req_id] = list(new.block_ids[0])
            self.prompts[new.req_id] = len(new.prefill_token_ids or new.prompt_token_ids)
            computed[new.req_id] = new.num_computed_tokens
        told = step.scheduled_cached_reqs
        for name, blocks, done in zip(told.req_ids, told.new_block_ids, told.num_computed_tokens, strict=True):
            known = [] if name in told.resumed_req_ids else self.blocks[name]
            self.blocks[name] = known + list(blocks[0] if blocks else ())
            computed[name] = done
        names, sampled, logprobs = list(step.num_scheduled_tokens), [], []
        for name in names:
            position = computed[name] + step.num_scheduled_tokens[name]
            assert len(self.blocks[name]) * BLOCK >= position
            chance = random.Random(f"{name} {position}")
            done = position >= self.prompts[name]  # else a part of the prompt
            sampled.append([chance.randrange(VOCABULARY)] if done else [])
            logprobs.append(-chance.random())
        return ModelRunnerOutput(
            req_ids=names,
            req_id_to_index={name: row for row, name in enumerate(names)},
            sampled_token_ids=sampled,
            logprobs=LogprobsLists(
                np.array([ids[:1] or [0] for ids in sampled]),
                np.array(logprobs, np.float32)[:, None],
                np.zeros(len(names), int),
            ),
        )


@pytest.fixture(scope="module")
def engine_config(tmp_path_factory: pytest.TempPathFactory) -> VllmConfig:
    folder = save_tiny(tmp_path_factory.mktemp("tiny"))
    return EngineArgs(model=str(folder), max_model_len=LONGEST, max_num_batched_tokens=256).create_engine_config()


def start(kind: type, engine_config: VllmConfig, blocks: int, together: int = 64) -> Any:
    config = copy.deepcopy(engine_config)
    config.scheduler_config.async_scheduling = issubclass(kind, AsyncScheduler)
    config.scheduler_config.max_num_seqs = together
    config.cache_config.num_gpu_blocks = blocks
    kept = FullAttentionSpec(block_size=BLOCK, num_kv_heads=1, head_size=32, dtype=torch.bfloat16)
    cache = KVCacheConfig(num_blocks=blocks, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], kept)])
    scheduler = kind(config, cache, StructuredOutputManager(config), block_size=BLOCK, log_stats=False)
    scheduler.use_v2_model_runner = issubclass(kind, AsyncScheduler)  # as on a GPU
    return scheduler


def ask(scheduler: Any, number: int) -> None:
    init_none_hash(sha256)
    hasher = get_request_block_hasher(BLOCK, sha256)
    for index in range(number):
        wanted = SamplingParams(
            max_tokens=20 + 7 * (index % 9),
            logprobs=0,
            stop_token_ids=[STOP],
            min_tokens=3 * (index % 2),
            detokenize=False,
        )
        wanted.update_from_generation_config({}, None if index % 5 == 0 else END)
        prompt = [3 + (index // 4 + place) % 40 for place in range(5 + 9 * (index // 4 % 5))]
        scheduler.add_request(Request(f"sequence {index}", prompt, wanted, None, block_hasher=hasher))


def finish(scheduler: Any, ahead: bool) -> tuple[Found, FakeModel]:
    """Steps until nothing is left, `ahead`: the next one planned before the last one's tokens are known."""
    model, flying, found = FakeModel(), deque[Any](), dict[str, Any]()
    while scheduler.has_requests() or flying:
        if scheduler.has_requests():
            step = scheduler.schedule()
            flying.append((step, model.execute(step) if step.num_scheduled_tokens else None))
            if ahead and len(flying) < 2:
                continue
        step, sampled = flying.popleft()
        if sampled is None:
            sampled = ModelRunnerOutput(req_ids=[], req_id_to_index={})
        for told in scheduler.update_from_output(step, sampled).values():
            for output in told.outputs:
                ids, logprobs, _ = found.get(output.request_id, ([], [], ""))
                new = output.new_logprobs.logprobs[:, 0].tolist() if output.new_logprobs else []
                reason = "" if output.finish_reason is None else str(output.finish_reason)
                found[output.request_id] = (ids + output.new_token_ids, logprobs + new, reason)
    return found, model


PAIRS = [(Scheduler, RolloutScheduler, False), (AsyncScheduler, AsyncRolloutScheduler, True)]


@pytest.mark.parametrize(("kind", "ours", "ahead"), PAIRS, ids=["waiting", "ahead"])
@pytest.mark.parametrize(
    ("blocks", "together"), [(1000, 64), (30, 64), (1000, 6)], ids=["roomy", "preempting", "queueing"]
)
def test_the_samples_are_those_of_vllms_scheduler(
    kind: type, ours: type, ahead: bool, blocks: int, together: int, engine_config: VllmConfig
) -> None:
    expected = start(kind, engine_config, blocks, together)
    ask(expected, 40)
    right, model = finish(expected, ahead)
    scheduler = start(ours, engine_config, blocks, together)
    for _ in range(2):  # a second batch begins anew
        scheduler.reset_prefix_cache()
        ask(scheduler, 40)
        told, fast = finish(scheduler, ahead)
        rollouts = scheduler.take()
        assert any(rollout.request.num_preemptions for rollout in rollouts) == (blocks < 100)
        taken = {r.request.request_id: (r.token_ids, r.logprobs, r.finish_reason) for r in rollouts}
        assert list(taken) == [f"sequence {index}" for index in range(40)]
        assert taken == right
        assert {name: ids for name, (ids, _, _) in told.items()} == {name: ids for name, (ids, _, _) in right.items()}
        assert fast.steps == model.steps
        assert scheduler.kv_cache_manager.block_pool.get_num_free_blocks() == blocks - 1  # one is vLLM's own
    assert {reason for _, _, reason in right.values()} == {"stop", "length"}


def test_most_steps_are_planned_here(engine_config: VllmConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = start(AsyncRolloutScheduler, engine_config, 1000)
    ask(scheduler, 40)
    whole = []
    real = Scheduler.schedule
    monkeypatch.setattr(Scheduler, "schedule", lambda self, *rest: (whole.append(1), real(self, *rest))[1])
    _, model = finish(scheduler, True)
    assert len(whole) < model.steps / 4


def test_an_unknown_vllm_keeps_its_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim, "version", lambda name: "0.99.1")
    shims.works.cache_clear()
    assert scheduling(on_cpu=True) == scheduling(on_cpu=False) == {}
    monkeypatch.setattr(shim, "version", lambda name: "0.31.0")
    shims.works.cache_clear()
    assert scheduling(on_cpu=False)["scheduler_cls"] is AsyncRolloutScheduler
    assert scheduling(on_cpu=True)["scheduler_cls"] is RolloutScheduler
